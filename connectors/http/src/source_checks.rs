//! Settings that do not fit each other
//!
//! What is wrong with one setting by itself is found in `source_reader.rs`.

use crate::body::Format;
use crate::paging::{Paging, TokenPlace, TokenTarget};
use crate::problems::Problems;
use crate::source_config as key;
use crate::source_settings::{BodyType, Mode, Settings};

impl Settings {
    /// Finds settings that do not fit each other.
    pub(crate) fn check_together(&self, problems: &mut Problems) {
        self.check_partitions(problems);
        self.check_increments(problems);
        self.check_paging(problems);
    }

    fn check_partitions(&self, problems: &mut Problems) {
        let uses = |name: &str| self.request.all_holes().any(|hole| hole == name);
        let is_divided = !self.partitions.is_empty() || self.parent.is_some();
        if !self.partitions.is_empty() && self.parent.is_some() {
            problems.push_text(
                key::PARENT_URL,
                format!(
                    "{} and {} both give the values of ${{partition}}; leave one out",
                    key::PARTITIONS,
                    key::PARENT_URL
                ),
            );
        }
        if is_divided && !uses("partition") {
            problems.push_text(
                key::PARTITIONS,
                format!(
                    "no request differs by partition: put ${{partition}} into {}, {} or {}",
                    key::URL,
                    key::PARAMS,
                    key::BODY
                ),
            );
        }
        if !is_divided && uses("partition") {
            problems.push_text(
                key::PARTITIONS,
                format!(
                    "${{partition}} has no values: list them in {} or name {}",
                    key::PARTITIONS,
                    key::PARENT_URL
                ),
            );
        }
    }

    fn check_increments(&self, problems: &mut Problems) {
        let uses = |name: &str| self.request.all_holes().any(|hole| hole == name);
        if self.incremental.step_ms.is_some() && !uses("window.start") {
            problems.push_text(
                key::INCREMENTAL_STEP,
                "windows are asked for with ${window.start} and ${window.end}, but no request holds them".to_owned(),
            );
        }
        if self.incremental.step_ms.is_none() && (uses("window.start") || uses("window.end")) {
            problems.push_text(
                key::INCREMENTAL_STEP,
                format!(
                    "${{window.start}} and ${{window.end}} need the length of a window in {}",
                    key::INCREMENTAL_STEP
                ),
            );
        }
        if self.emits_changes && self.incremental.mode != Mode::None {
            problems.push_text(
                key::EMIT,
                format!(
                    "changes are found by reading everything; set {}=none or {}=all",
                    key::INCREMENTAL_MODE,
                    key::EMIT
                ),
            );
        }
        if self.common.emit_tombstones && (!self.emits_changes || self.record.key.is_empty()) {
            problems.push_text(
                weir_feed::settings::EMIT_TOMBSTONES,
                format!(
                    "what vanished is known only with {}=changes and a key in {}",
                    key::EMIT,
                    key::KEY_POINTER
                ),
            );
        }
    }

    fn check_paging(&self, problems: &mut Problems) {
        let uses = |name: &str| self.request.all_holes().any(|hole| hole == name);
        if matches!(
            self.paging,
            Paging::Cursor {
                to: TokenTarget::Body(_),
                ..
            }
        ) && (self.request.body.is_none() || self.request.body_type != BodyType::Json)
        {
            problems.push_text(
                key::PAGING_TOKEN_BODY_POINTER,
                format!("the token goes into a JSON body, so {} must be one", key::BODY),
            );
        }
        if matches!(
            self.paging,
            Paging::Cursor {
                to: TokenTarget::Placeholder,
                ..
            }
        ) && !uses("page.token")
        {
            problems.push_text(
                key::PAGING_TOKEN_PARAM,
                format!(
                    "the token goes nowhere: set {}, {} or put ${{page.token}} into the request",
                    key::PAGING_TOKEN_PARAM,
                    key::PAGING_TOKEN_BODY_POINTER
                ),
            );
        }
        let reads_body = matches!(
            &self.paging,
            Paging::Cursor {
                from: TokenPlace::Body(_),
                ..
            } | Paging::NextLink { pointer: Some(_) }
                | Paging::Offset { total: Some(_), .. }
        );
        if reads_body && self.record.format != Format::Json {
            problems.push_text(
                key::PAGING_MODE,
                format!(
                    "pointers for paging need {}=json; a header works with every format",
                    key::RESPONSE_FORMAT
                ),
            );
        }
        if self.incremental.mode == Mode::Cursor
            && self.incremental.pointer.is_none()
            && !matches!(self.paging, Paging::Cursor { .. })
        {
            problems.push_text(
                key::INCREMENTAL_POINTER,
                format!(
                    "without a pointer the cursor is the page's token, which needs {}=cursor",
                    key::PAGING_MODE
                ),
            );
        }
    }

    /// The records are taken out of a page before paging looks at it.
    pub(crate) fn check_paging_pointers(&self, problems: &mut Problems) {
        let pointer = match &self.paging {
            Paging::Cursor {
                from: TokenPlace::Body(pointer),
                ..
            }
            | Paging::NextLink { pointer: Some(pointer) }
            | Paging::Offset {
                total: Some(pointer), ..
            } => pointer.to_string(),
            _ => return,
        };
        let records = self.record.records.to_string();
        let inner = pointer.strip_prefix(&records).and_then(|rest| rest.strip_prefix('/'));
        let first = inner.and_then(|rest| rest.split('/').next());
        if first.is_some_and(|segment| segment.bytes().all(|byte| byte.is_ascii_digit())) {
            problems.push(
                key::PAGING_MODE,
                &pointer,
                "the pointer leads into one of the records; tokens, links and totals stand beside them",
            );
        }
    }
}
