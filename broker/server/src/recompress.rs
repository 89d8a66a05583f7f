//! A batch in the codec its topic asks for (`compression.type` other than `producer`).
//!
//! Records are taken out of their block and put back under another codec; nothing inside them
//! changes, so offsets, sequences and timestamps stay. Only topics that ask for it pay the copy.

use bytes::{BufMut, BytesMut};
use weir_protocol::error::ProtocolError;
use weir_protocol::records::batch::{BatchHeader, BatchView, HEADER_BYTES, compute_crc};
use weir_protocol::records::compression::{Codec, compress, decompress_into, decompression_cap};
use weir_protocol::records::validate::BatchFacts;

/// What a topic stores its batches in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TargetCodec {
    pub(crate) codec: Codec,
    /// None for the codec's default.
    pub(crate) level: Option<i32>,
}

/// The bits of the attributes that name the codec.
const CODEC_BITS: i16 = 0x07;

/// The batch in the target's codec, with its facts; none when it is already.
///
/// # Errors
/// The block does not decompress, which validation has found before.
pub(crate) fn recompressed(
    bytes: &[u8],
    facts: &BatchFacts,
    target: TargetCodec,
) -> Result<Option<(BytesMut, BatchFacts)>, ProtocolError> {
    let batch = BatchView::parse(bytes)?;
    let codec = batch.header.attributes.codec()?;
    if codec == target.codec {
        return Ok(None);
    }
    let mut records = Vec::new();
    decompress_into(
        codec,
        batch.records(),
        decompression_cap(batch.records().len()),
        &mut records,
    )?;
    let block = compress(target.codec, target.level, &records)?;
    let mut out = BytesMut::with_capacity(HEADER_BYTES + block.len());
    out.extend_from_slice(bytes.get(..HEADER_BYTES).unwrap_or_default());
    out.extend_from_slice(&block);
    let length = i32::try_from(out.len() - 12).map_err(|_| ProtocolError::TooLarge { what: "record batch" })?;
    let attributes = (batch.header.attributes.0 & !CODEC_BITS) | target.codec.id();
    (&mut out[8..12]).put_i32(length);
    (&mut out[21..23]).put_i16(attributes);
    let crc = compute_crc(&out);
    (&mut out[17..21]).put_u32(crc);
    let header = BatchHeader::parse(&out)?;
    Ok(Some((out, BatchFacts { header, ..*facts })))
}

#[cfg(test)]
mod tests {
    use weir_protocol::records::builder::{BatchBuilder, BatchSettings};
    use weir_protocol::records::validate::{BatchRules, validate_batch};

    use super::*;

    #[test]
    fn records_survive_every_change_of_codec() {
        let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
        for from in codecs {
            let mut builder = BatchBuilder::new(BatchSettings {
                codec: from,
                ..BatchSettings::default()
            });
            for at in 0..50 {
                builder.append(1000 + at, Some(b"key"), Some(&[7; 100]), &[]);
            }
            let bytes = builder.build().unwrap();
            let rules = BatchRules {
                now_ms: 1000,
                ..BatchRules::default()
            };
            let facts = validate_batch(&bytes, &rules, &mut Vec::new()).unwrap();
            for codec in codecs {
                let target = TargetCodec { codec, level: None };
                let Some((out, new_facts)) = recompressed(&bytes, &facts, target).unwrap() else {
                    assert_eq!(from, codec);
                    continue;
                };
                let checked = validate_batch(&out, &rules, &mut Vec::new()).unwrap();
                assert_eq!(checked, new_facts);
                assert_eq!(checked.max_timestamp, facts.max_timestamp);
                assert_eq!(checked.header.attributes.codec().unwrap(), codec);
            }
        }
    }
}
