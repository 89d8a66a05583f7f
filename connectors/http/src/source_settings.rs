//! The settings of the source, typed
//!
//! Names and defaults are in `source_config.rs`; reading is in `source_reader.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_feed::charset::Charset;
use weir_feed::pointer::Pointer;
use weir_feed::settings::Common;
use weir_feed::time_format::TimeFormat;
use weir_feed::url::Hosts;
use weir_feed::zone::Zone;
use weir_sdk::api::data::schema::Schema;
use weir_sdk::http::Method;

use crate::auth::AuthKind;
use crate::body::Format;
use crate::expression::Expression;
use crate::paging::Paging;
use crate::rules::Rules;
use crate::template::Template;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    /// JSON.
    Json,
    /// A form.
    Form,
    /// Plain text.
    Text,
}

/// What is asked, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestSettings {
    /// URL.
    pub url: Template,
    /// Method.
    pub method: Method,
    /// Headers.
    pub headers: Vec<(String, Template)>,
    /// Query parameters.
    pub params: Vec<(String, Template)>,
    /// Body.
    pub body: Option<Template>,
    /// What it is.
    pub body_type: BodyType,
    /// Values of `${config.KEY}`.
    pub config: BTreeMap<String, String>,
    /// Hosts of redirects and links.
    pub hosts: Hosts,
}

/// How records are told from each other and typed.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSettings {
    /// What answers are.
    pub format: Format,
    /// In which charset.
    pub charset: Option<Charset>,
    /// Where the records stand.
    pub records: Pointer,
    /// Which of them.
    pub filter: Option<Expression>,
    /// Key.
    pub key: Vec<Pointer>,
    /// Time.
    pub timestamp: Option<Pointer>,
    /// How it is written.
    pub formats: Vec<TimeFormat>,
    /// In which zone.
    pub zone: Zone,
    /// How values are typed.
    pub schema: SchemaMode,
}

/// How values are typed.
#[derive(Debug, Clone, PartialEq)]
pub enum SchemaMode {
    /// As JSON text.
    JsonString,
    /// By what comes.
    Inferred {
        /// Records looked at before the first is handed over.
        sample: usize,
    },
    /// As given.
    Inline(Arc<Schema>),
}

/// How new records are told from old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Not at all.
    None,
    /// By time.
    Timestamp,
    /// By a growing id.
    Id,
    /// By what the service calls the last one.
    Cursor,
}

/// In which order records come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
    /// Any.
    Unordered,
}

/// How a cycle goes on where the last one ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Incremental {
    /// By what.
    pub mode: Mode,
    /// Where it stands in a record.
    pub pointer: Option<Pointer>,
    /// How times are written.
    pub formats: Vec<TimeFormat>,
    /// In which zone.
    pub zone: Zone,
    /// First mark.
    pub initial: Option<String>,
    /// How far back each cycle reads.
    pub lookback_ms: i64,
    /// Length of a window.
    pub step_ms: Option<i64>,
    /// In which order.
    pub order: Order,
}

/// Where partition values are listed.
#[derive(Debug, Clone, PartialEq)]
pub struct Parent {
    /// URL.
    pub url: String,
    /// The list.
    pub records: Pointer,
    /// The value in an element.
    pub value: Pointer,
    /// How often it is read.
    pub refresh_ms: u64,
}

/// All settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Those of all feeds.
    pub common: Common,
    /// What is asked.
    pub request: RequestSettings,
    /// Authentication.
    pub auth: AuthKind,
    /// Records.
    pub record: RecordSettings,
    /// Pages.
    pub paging: Paging,
    /// Most of a cycle.
    pub max_pages: u32,
    /// Whether a restart may go on in the middle.
    pub is_resumable: bool,
    /// New records.
    pub incremental: Incremental,
    /// Values to ask for one by one.
    pub partitions: Vec<String>,
    /// Where they are listed.
    pub parent: Option<Parent>,
    /// Pause between cycles.
    pub interval_ms: u64,
    /// Pause while there is more.
    pub catchup_ms: u64,
    /// What answers mean.
    pub rules: Rules,
    /// Whether only changes are emitted.
    pub emits_changes: bool,
    /// This task and how many there are.
    pub task: (u32, u32),
}

impl RequestSettings {
    /// Walks the placeholders of all parts.
    pub fn all_holes(&self) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().chain(&self.params).map(|(_, template)| template);
        std::iter::once(&self.url)
            .chain(named)
            .chain(&self.body)
            .flat_map(Template::holes)
    }
}
