//! From refusals to HTTP: the one place where error codes are chosen
//!
//! A code of five digits begins with the status; one of three digits is the status. Bodies are `{"error_code":…,"message":…}`.
//! Source: `Errors`.

use crate::refusal::Refusal;
use crate::rest::model::ErrorJson;

/// Code of a refusal.
pub(crate) fn error_code(refusal: &Refusal) -> u32 {
    match refusal {
        Refusal::SubjectNotFound(_) => 40401,
        Refusal::VersionNotFound(_) => 40402,
        Refusal::SchemaNotFound | Refusal::IdNotFound(_) => 40403,
        Refusal::SubjectSoftDeleted(_) => 40404,
        Refusal::SubjectNotSoftDeleted(_) => 40405,
        Refusal::VersionSoftDeleted { .. } => 40406,
        Refusal::VersionNotSoftDeleted { .. } => 40407,
        Refusal::NoSubjectConfig(_) => 40408,
        Refusal::NoSubjectMode(_) => 40409,
        Refusal::Incompatible { .. } => 40901,
        Refusal::InvalidSchema(_) => 42201,
        Refusal::InvalidVersion(_) => 42202,
        Refusal::InvalidLevel | Refusal::InvalidPolicy => 42203,
        Refusal::InvalidMode | Refusal::ForwardBelowGlobal => 42204,
        Refusal::NotPermitted(_) => 42205,
        Refusal::ReferenceExists { .. } => 42206,
        Refusal::IdDoesNotMatch { .. } => 42207,
        Refusal::InvalidSubject(_) => 42208,
        Refusal::SchemaTooLarge => 42209,
        Refusal::InvalidRules(_) => 42210,
        Refusal::ContextNotEmpty(_) => 42211,
        Refusal::MissingBody(_) => 422,
        Refusal::Store(_) => 50001,
        Refusal::TimedOut(_) => 50002,
        Refusal::UnknownLeader(_) => 50004,
        Refusal::Http { status, .. } => u32::from(*status),
    }
}

/// Status of a refusal.
pub(crate) fn status(refusal: &Refusal) -> u16 {
    let code = error_code(refusal);
    let status = if code >= 10_000 { code / 100 } else { code };
    u16::try_from(status).unwrap_or(500)
}

/// Body of a refusal.
pub(crate) fn body(refusal: &Refusal) -> ErrorJson {
    ErrorJson {
        error_code: error_code(refusal),
        message: refusal.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s() -> String {
        "s".to_owned()
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table of every code")]
    fn every_refusal_has_its_status_code_and_text() {
        let (subject, version) = (s(), 1);
        for (refusal, status_wanted, json) in [
            (
                Refusal::SubjectNotFound(s()),
                404,
                r#"{"error_code":40401,"message":"Subject 's' not found."}"#,
            ),
            (
                Refusal::VersionNotFound(1),
                404,
                r#"{"error_code":40402,"message":"Version 1 not found."}"#,
            ),
            (
                Refusal::SchemaNotFound,
                404,
                r#"{"error_code":40403,"message":"Schema not found"}"#,
            ),
            (
                Refusal::IdNotFound("7".to_owned()),
                404,
                r#"{"error_code":40403,"message":"Schema 7 not found"}"#,
            ),
            (
                Refusal::SubjectSoftDeleted(s()),
                404,
                r#"{"error_code":40404,"message":"Subject 's' was soft deleted.Set permanent=true to delete permanently"}"#,
            ),
            (
                Refusal::SubjectNotSoftDeleted(s()),
                404,
                r#"{"error_code":40405,"message":"Subject 's' was not deleted first before being permanently deleted"}"#,
            ),
            (
                Refusal::VersionSoftDeleted {
                    subject: subject.clone(),
                    version,
                },
                404,
                r#"{"error_code":40406,"message":"Subject 's' Version 1 was soft deleted.Set permanent=true to delete permanently"}"#,
            ),
            (
                Refusal::VersionNotSoftDeleted {
                    subject: subject.clone(),
                    version,
                },
                404,
                r#"{"error_code":40407,"message":"Subject 's' Version 1 was not deleted first before being permanently deleted"}"#,
            ),
            (
                Refusal::NoSubjectConfig(s()),
                404,
                r#"{"error_code":40408,"message":"Subject 's' does not have subject-level compatibility configured"}"#,
            ),
            (
                Refusal::NoSubjectMode(s()),
                404,
                r#"{"error_code":40409,"message":"Subject 's' does not have subject-level mode configured"}"#,
            ),
            (
                Refusal::Incompatible {
                    subject: subject.clone(),
                    messages: vec!["a".to_owned(), "b".to_owned()],
                },
                409,
                r#"{"error_code":40901,"message":"Schema being registered is incompatible with an earlier schema for subject \"s\", details: [a, b]"}"#,
            ),
            (
                Refusal::InvalidSchema("x".to_owned()),
                422,
                r#"{"error_code":42201,"message":"x"}"#,
            ),
            (
                Refusal::InvalidVersion("0".to_owned()),
                422,
                r#"{"error_code":42202,"message":"The specified version '0' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""}"#,
            ),
            (
                Refusal::InvalidLevel,
                422,
                r#"{"error_code":42203,"message":"Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive"}"#,
            ),
            (
                Refusal::InvalidPolicy,
                422,
                r#"{"error_code":42203,"message":"Invalid compatibility policy. Valid values are strict, lenient, and logical"}"#,
            ),
            (
                Refusal::InvalidMode,
                422,
                r#"{"error_code":42204,"message":"Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD."}"#,
            ),
            (
                Refusal::ForwardBelowGlobal,
                422,
                r#"{"error_code":42204,"message":"Forward mode only supported on global level"}"#,
            ),
            (
                Refusal::NotPermitted("x".to_owned()),
                422,
                r#"{"error_code":42205,"message":"x"}"#,
            ),
            (
                Refusal::ReferenceExists {
                    subject: subject.clone(),
                    version,
                },
                422,
                r#"{"error_code":42206,"message":"One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=s,version=1}."}"#,
            ),
            (
                Refusal::IdDoesNotMatch {
                    given: 2,
                    existing: 3,
                    subject,
                    version,
                },
                422,
                r#"{"error_code":42207,"message":"The id 2 of the schema being imported does not match the existing id 3 of subject 's' version 1"}"#,
            ),
            (
                Refusal::InvalidSubject(s()),
                422,
                r#"{"error_code":42208,"message":"The specified subject 's' is not a valid."}"#,
            ),
            (
                Refusal::SchemaTooLarge,
                422,
                r#"{"error_code":42209,"message":"Register operation failed because schema is too large"}"#,
            ),
            (
                Refusal::InvalidRules("x".to_owned()),
                422,
                r#"{"error_code":42210,"message":"Invalid ruleSet: x"}"#,
            ),
            (
                Refusal::ContextNotEmpty(".c".to_owned()),
                422,
                r#"{"error_code":42211,"message":"The specified context '.c' is not empty."}"#,
            ),
            (
                Refusal::MissingBody("x".to_owned()),
                422,
                r#"{"error_code":422,"message":"x"}"#,
            ),
            (
                Refusal::Store("x".to_owned()),
                500,
                r#"{"error_code":50001,"message":"x"}"#,
            ),
            (
                Refusal::TimedOut("x".to_owned()),
                500,
                r#"{"error_code":50002,"message":"x"}"#,
            ),
            (
                Refusal::UnknownLeader("x".to_owned()),
                500,
                r#"{"error_code":50004,"message":"x"}"#,
            ),
            (
                Refusal::http(404),
                404,
                r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#,
            ),
            (
                Refusal::http(405),
                405,
                r#"{"error_code":405,"message":"HTTP 405 Method Not Allowed"}"#,
            ),
            (
                Refusal::http(406),
                406,
                r#"{"error_code":406,"message":"HTTP 406 Not Acceptable"}"#,
            ),
            (
                Refusal::http(415),
                415,
                r#"{"error_code":415,"message":"HTTP 415 Unsupported Media Type"}"#,
            ),
            (Refusal::bad_request("x"), 400, r#"{"error_code":400,"message":"x"}"#),
        ] {
            assert_eq!(status(&refusal), status_wanted, "{refusal:?}");
            assert_eq!(serde_json::to_string(&body(&refusal)).unwrap(), json);
        }
    }
}
