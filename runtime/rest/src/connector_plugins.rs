//! `/connector-plugins`: listing, config keys, validation (connect.md A.7).

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};

use crate::body::{config_map, read_json};
use crate::connectors::query_values;
use crate::error::RestError;
use crate::model::{ConfigInfosJson, KeyJson, PluginJson, shown};
use crate::server::Api;

/// `GET /connector-plugins`, only connectors unless `connectorsOnly=false`.
pub(crate) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Json<Vec<PluginJson>> {
    let all = query_values(query.as_deref(), "connectorsOnly")
        .last()
        .is_some_and(|value| !value.eq_ignore_ascii_case("true"));
    Json(api.herder.plugins(!all).into_iter().map(PluginJson::from).collect())
}

/// `GET /connector-plugins/{p}/config`, of the newest version unless `version` asks for another.
pub(crate) async fn config(
    State(api): State<Api>,
    Path(plugin): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<KeyJson>>, RestError> {
    let versions = query_values(query.as_deref(), "version");
    let keys = api
        .herder
        .plugin_config(&plugin, versions.first().map(String::as_str))?;
    Ok(Json(
        keys.into_iter()
            .filter(shown)
            .filter_map(|info| info.definition.map(KeyJson::from))
            .collect(),
    ))
}

/// `PUT /connector-plugins/{p}/config/validate`: 200 even with errors.
pub(crate) async fn validate(
    State(api): State<Api>,
    Path(plugin): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ConfigInfosJson>, RestError> {
    let config = config_map(read_json(&headers, body).await?)?;
    if let Some(class) = config.get("connector.class")
        && !names_agree(class, &plugin)
    {
        let text = format!("Included connector type {class} does not match request type {plugin}");
        return Err(RestError::new(StatusCode::BAD_REQUEST, text));
    }
    let infos = api.herder.validate_config(&config).await.map_err(RestError::wrapped)?;
    Ok(Json(infos.into()))
}

/// The class must end with the plugin named in the path, both without a trailing `Connector`.
fn names_agree(class: &str, plugin: &str) -> bool {
    let normal = |name: &str| name.strip_suffix("Connector").unwrap_or(name).to_owned();
    normal(class).ends_with(&normal(plugin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_must_name_the_end_of_the_class() {
        for (class, plugin, expected) in [
            (
                "org.apache.kafka.connect.file.FileStreamSourceConnector",
                "FileStreamSource",
                true,
            ),
            ("FileStreamSource", "FileStreamSourceConnector", true),
            ("FileStreamSink", "FileStreamSource", false),
            (
                "FileStreamSource",
                "org.apache.kafka.connect.file.FileStreamSourceConnector",
                false,
            ),
        ] {
            assert_eq!(names_agree(class, plugin), expected, "{class} against {plugin}");
        }
    }
}
