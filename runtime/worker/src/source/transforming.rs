//! The transformations of a source task, between the guest's frame and the converters.
//!
//! The frame that goes on has every record at its old index; those left out are marked as dropped, so
//! that acknowledgements and offsets need not know of any of this. Source: `AbstractWorkerSourceTask`.

use std::sync::Arc;

use weir_api::error::ConnectError;
use weir_api::frame::writer::FrameWriter;
use weir_transforms::chain::RecordKind;

use crate::error::TaskFailure;
use crate::pipeline::report::{FailedRecord, Failing};
use crate::pipeline::stage::Stage;
use crate::pipeline::tolerance::Verdict;
use crate::source::delivering::in_words;
use crate::source::task::SourceTask;

impl SourceTask {
    /// Sends a frame of the guest through the transformations. With a failure that ends the task comes
    /// the frame of what was before it, which is still sent.
    ///
    /// # Errors
    /// A frame that cannot be read or written.
    pub(crate) async fn transform(
        &mut self,
        bytes: Arc<Vec<u8>>,
    ) -> Result<(Arc<Vec<u8>>, Option<TaskFailure>), TaskFailure> {
        let Some(transforms) = &mut self.transforms else {
            return Ok((bytes, None));
        };
        let frame = self.instance.frame(&bytes)?;
        let mut end = frame.record_count();
        let mut ending = None;
        let mut failures = transforms.apply(RecordKind::Source, self.instance.schemas(), &bytes, &frame);
        'failures: for mut failure in failures.drain(..) {
            let Some(record) = frame.records().nth(failure.row as usize) else {
                continue;
            };
            let text = in_words(&record, &frame);
            loop {
                let failing = Failing {
                    stage: Stage::Transformation,
                    class: &failure.class,
                    record: FailedRecord::Source(&text),
                };
                match self.rules.judge(failing, failure.error, &self.control).await {
                    Verdict::Skip => break,
                    Verdict::Fail(failure) => {
                        end = record.index;
                        ending = Some(failure);
                        break 'failures;
                    }
                    Verdict::Retry => {}
                }
                match transforms.try_again(RecordKind::Source, self.instance.schemas(), &bytes, &record) {
                    None => break self.rules.succeeded(),
                    Some(again) => failure = again,
                }
            }
        }
        transforms.applied(failures);
        let mut out = FrameWriter::source();
        transforms
            .write_source(&bytes, &frame, end, &mut out)
            .map_err(ConnectError::from)?;
        Ok((Arc::new(out.finish()), ending))
    }
}
