//! The transformations of a sink task, between the converters and the guest.
//!
//! What fails is reported as the message it came from. What is dropped leaves the frame; its offset
//! counts as consumed all the same. Source: `WorkerSinkTask.convertAndTransformRecord`.

use weir_api::error::ConnectError;
use weir_api::frame::reader::RecordView;
use weir_transforms::chain::{RecordKind, RowFailure};

use crate::error::TaskFailure;
use crate::pipeline::report::{FailedRecord, Failing};
use crate::pipeline::stage::Stage;
use crate::pipeline::tolerance::Verdict;
use crate::pipeline::transform::{Transforms, parse_own};
use crate::sink::batch::SinkBatch;
use crate::sink::task::SinkTask;

impl SinkTask {
    /// Sends the frame in hand through the transformations.
    ///
    /// # Errors
    /// A record failed and is not tolerated, or the frame became too large.
    pub(crate) async fn transform(&mut self, batch: &mut SinkBatch) -> Result<(), TaskFailure> {
        if batch.records() == 0 {
            return Ok(());
        }
        let Some(mut transforms) = self.transforms.take() else {
            return Ok(());
        };
        let bytes = batch.take_frame();
        let result = self.transform_frame(&mut transforms, &bytes).await;
        let written = batch.transformed(bytes, &transforms);
        self.transforms = Some(transforms);
        result.and(written.map_err(|error| ConnectError::from(error).into()))
    }

    async fn transform_frame(&mut self, transforms: &mut Transforms, bytes: &[u8]) -> Result<(), TaskFailure> {
        let frame = parse_own(bytes)?;
        let mut failures = transforms.apply(RecordKind::Sink, self.instance.schemas(), bytes, &frame);
        for failure in failures.drain(..) {
            if let Some(record) = frame.records().nth(failure.row as usize) {
                self.recover_row(transforms, bytes, &record, failure).await?;
            }
        }
        transforms.applied(failures);
        Ok(())
    }

    /// Follows the error rules for a record that could not be transformed.
    async fn recover_row(
        &mut self,
        transforms: &mut Transforms,
        bytes: &[u8],
        record: &RecordView<'_>,
        mut failure: RowFailure,
    ) -> Result<(), TaskFailure> {
        let partition = record.partition.unwrap_or(-1);
        let Some(original) = self.originals.find(record.topic, partition, record.kafka_offset) else {
            return Err(TaskFailure::connect(
                "a message is gone while its record is transformed",
            ));
        };
        loop {
            let failing = Failing {
                stage: Stage::Transformation,
                class: &failure.class,
                record: FailedRecord::Message(&original),
            };
            match self.rules.judge(failing, failure.error, &self.control).await {
                Verdict::Skip => return Ok(()),
                Verdict::Fail(failure) => return Err(failure),
                Verdict::Retry => {}
            }
            match transforms.try_again(RecordKind::Sink, self.instance.schemas(), bytes, record) {
                None => {
                    self.rules.succeeded();
                    return Ok(());
                }
                Some(again) => failure = again,
            }
        }
    }
}
