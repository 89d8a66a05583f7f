//! How several records are put into a body

/// How several records are put into a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `[a,b]`; a record alone stands without brackets where batches have one record.
    JsonArray,
    /// One JSON value a line.
    JsonLines,
    /// One text a line.
    Text,
}

impl Shape {
    /// The names, as settings have them.
    pub const NAMES: [&str; 3] = ["json_array", "json_lines", "text"];

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "json_array" => Some(Self::JsonArray),
            "json_lines" => Some(Self::JsonLines),
            "text" => Some(Self::Text),
            _ => None,
        }
    }

    /// What a body is called.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::JsonArray => "application/json",
            Self::JsonLines => "application/x-ndjson",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// Puts pieces together.
    pub fn body(self, pieces: &[String], is_batch: bool) -> String {
        match self {
            Self::JsonArray if is_batch => format!("[{}]", pieces.join(",")),
            Self::JsonArray => pieces.concat(),
            Self::JsonLines | Self::Text if is_batch => pieces.iter().fold(String::new(), |mut body, piece| {
                body.push_str(piece);
                body.push('\n');
                body
            }),
            Self::JsonLines | Self::Text => pieces.concat(),
        }
    }
}
