//! From refusals to HTTP: the one place where status codes are chosen.
//!
//! Bodies are `{"error_code":…,"message":…}` in this order, as every Connect client expects.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use weir_herder::error::{CONFIG_CLASS, HerderError};

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestError {
    /// HTTP status, repeated in the body.
    pub status: StatusCode,
    /// Text of the body.
    pub message: String,
    /// Of the HTTP layer, before any resource was reached: its body has no media type.
    is_bare: bool,
}

#[derive(Serialize)]
struct ErrorBody {
    error_code: u16,
    message: String,
}

impl RestError {
    /// An error with this status and text.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        RestError {
            status,
            message: message.into(),
            is_bare: false,
        }
    }

    /// What Connect answers to a body that it cannot read: 500, not 400.
    pub fn unreadable(message: impl Into<String>) -> Self {
        RestError::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// An error of the HTTP layer itself, worded as Connect's server words it (`HTTP 404 Not Found`).
    pub fn http(status: StatusCode) -> Self {
        RestError {
            is_bare: true,
            ..RestError::new(status, http_text(status))
        }
    }

    /// As [`RestError::http`], found by the resource itself: a task that is no number, a body that it cannot take.
    pub fn of_resource(status: StatusCode) -> Self {
        RestError::new(status, http_text(status))
    }

    /// The validate resource wraps a refusal: 500, with the exception class in front.
    pub fn wrapped(error: HerderError) -> Self {
        match error {
            HerderError::BadRequest { message, class } => RestError::unreadable(format!("{class}: {message}")),
            HerderError::Config(message) => RestError::unreadable(format!("{CONFIG_CLASS}: {message}")),
            other => other.into(),
        }
    }
}

fn http_text(status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or("Error");
    format!("HTTP {} {reason}", status.as_u16())
}

impl From<HerderError> for RestError {
    fn from(error: HerderError) -> Self {
        let status = match &error {
            HerderError::NotFound(_) => StatusCode::NOT_FOUND,
            HerderError::AlreadyExists(_) | HerderError::Conflict(_) | HerderError::Elsewhere { .. } => {
                StatusCode::CONFLICT
            }
            HerderError::Forbidden(_) => StatusCode::FORBIDDEN,
            HerderError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            HerderError::BadRequest { .. } => StatusCode::BAD_REQUEST,
            HerderError::Config(_) | HerderError::Failed(_) | HerderError::TimedOut(_) | HerderError::ShuttingDown => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        RestError::new(status, error.to_string())
    }
}

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error_code: self.status.as_u16(),
            message: self.message,
        };
        let mut response = (self.status, Json(body)).into_response();
        if self.is_bare {
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_status_and_text() {
        let bad = HerderError::bad_request("b");
        let cases = [
            (HerderError::NotFound("n".to_owned()), 404, "n"),
            (HerderError::AlreadyExists("e".to_owned()), 409, "e"),
            (HerderError::Conflict("c".to_owned()), 409, "c"),
            (bad.clone(), 400, "b"),
            (HerderError::Failed("f".to_owned()), 500, "f"),
            (HerderError::TimedOut("s".to_owned()), 500, "Request timed out. s"),
            (HerderError::ShuttingDown, 500, "Worker is shutting down"),
        ];
        for (error, status, message) in cases {
            let rest = RestError::from(error);
            assert_eq!((rest.status.as_u16(), rest.message.as_str()), (status, message));
        }
        let wrapped = RestError::wrapped(bad);
        assert_eq!(wrapped.status.as_u16(), 500);
        assert_eq!(
            wrapped.message,
            "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: b"
        );
        assert_eq!(RestError::http(StatusCode::NOT_FOUND).message, "HTTP 404 Not Found");
    }
}
