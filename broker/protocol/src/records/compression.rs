//! Compression of a batch's record block
//!
//! All codecs Kafka knows, with a cap on what a block may grow to, because a
//! client chooses both sides of the ratio. Snappy comes framed (Java's Xerial
//! stream) or bare (librdkafka); gzip may hold several members; lz4 is the frame
//! format. Source: Kafka's `CompressionType` and KIP-390.

use std::io::{self, Read, Write};

use crate::error::ProtocolError;
use crate::primitives::Reader;

/// Compression codec of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Codec {
    /// Not compressed.
    #[default]
    None,
    /// RFC 1952, one or more members.
    Gzip,
    /// Xerial-framed or bare snappy.
    Snappy,
    /// LZ4 frame.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Codec {
    /// Returns the codec with the number of the attribute bits.
    ///
    /// # Errors
    /// [`ProtocolError::UnsupportedCodec`].
    pub fn from_id(id: i16) -> Result<Self, ProtocolError> {
        match id {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            _ => Err(ProtocolError::UnsupportedCodec { id }),
        }
    }

    /// Returns the number of the attribute bits.
    pub fn id(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Returns the codec of a `compression.type` value, if it names one.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "none" | "uncompressed" => Some(Self::None),
            "gzip" => Some(Self::Gzip),
            "snappy" => Some(Self::Snappy),
            "lz4" => Some(Self::Lz4),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_BYTES: usize = 16;
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;

/// Returns the largest size a block of `compressed` bytes may decompress to:
/// 64 times as much, but never less than 64 MiB nor more than 1 GiB. Honest
/// batches of repetitive text pass 64 times; they are small.
pub fn decompression_cap(compressed: usize) -> usize {
    compressed.saturating_mul(64).clamp(64 << 20, 1 << 30)
}

/// Decompresses `block` into `out`, which is cleared first.
///
/// # Errors
/// [`ProtocolError::Decompression`] for malformed input,
/// [`ProtocolError::DecompressionCap`] beyond `cap` bytes.
pub fn decompress_into(codec: Codec, block: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
    out.clear();
    let result = match codec {
        Codec::None => {
            out.extend_from_slice(block);
            Ok(())
        }
        Codec::Gzip => read_capped(flate2::read::MultiGzDecoder::new(block), cap, out),
        Codec::Snappy => return decompress_snappy(block, cap, out),
        Codec::Lz4 if !is_whole_lz4_frame(block) => Err(io::ErrorKind::UnexpectedEof.into()),
        Codec::Lz4 => read_capped(lz4_flex::frame::FrameDecoder::new(block), cap, out),
        Codec::Zstd => {
            zstd::stream::read::Decoder::with_buffer(block).and_then(|decoder| read_capped(decoder, cap, out))
        }
    };
    result.map_err(|source| ProtocolError::Decompression { codec, source })?;
    if out.len() > cap {
        return Err(ProtocolError::DecompressionCap { codec, cap });
    }
    Ok(())
}

fn read_capped(reader: impl Read, cap: usize, out: &mut Vec<u8>) -> io::Result<()> {
    // One byte more than the cap tells "too much" from "exactly the cap".
    reader.take(cap as u64 + 1).read_to_end(out)?;
    Ok(())
}

/// Returns whether the frame reaches its end mark. The decoder takes the end of
/// input for it, but Java's reader fails there, and a batch that one consumer
/// cannot read must not be stored.
fn is_whole_lz4_frame(block: &[u8]) -> bool {
    const HAS_DICTIONARY: u8 = 1;
    const HAS_CONTENT_CHECKSUM: u8 = 1 << 2;
    const HAS_CONTENT_SIZE: u8 = 1 << 3;
    const HAS_BLOCK_CHECKSUM: u8 = 1 << 4;
    let mut reader = Reader::new(block);
    let mut walk = || {
        reader.take(4)?;
        let &[flags, _] = reader.take(2)? else {
            return None;
        };
        let size = if flags & HAS_CONTENT_SIZE != 0 { 8 } else { 0 };
        let dictionary = if flags & HAS_DICTIONARY != 0 { 4 } else { 0 };
        reader.take(size + dictionary + 1)?;
        loop {
            let length = u32::from_le_bytes(reader.take(4)?.try_into().ok()?) & 0x7fff_ffff;
            if length == 0 {
                break;
            }
            let checksum = if flags & HAS_BLOCK_CHECKSUM != 0 { 4 } else { 0 };
            reader.take(length as usize + checksum)?;
        }
        reader.take(if flags & HAS_CONTENT_CHECKSUM != 0 { 4 } else { 0 })
    };
    walk().is_some()
}

fn decompress_snappy(block: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
    // All eight bytes count: bare snappy may begin with the first of them.
    if !block.starts_with(&XERIAL_MAGIC) {
        return snappy_block(block, cap, out);
    }
    let malformed = || ProtocolError::Decompression {
        codec: Codec::Snappy,
        source: io::Error::from(io::ErrorKind::UnexpectedEof),
    };
    let mut reader = Reader::new(block);
    reader.take(XERIAL_HEADER_BYTES).ok_or_else(malformed)?;
    while reader.remaining() > 0 {
        let length = reader.u32().ok_or_else(malformed)? as usize;
        snappy_block(reader.take(length).ok_or_else(malformed)?, cap, out)?;
    }
    Ok(())
}

fn snappy_block(block: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
    let failed = |error: snap::Error| ProtocolError::Decompression {
        codec: Codec::Snappy,
        source: io::Error::from(error),
    };
    // The length a block claims is checked before it becomes an allocation.
    let length = snap::raw::decompress_len(block).map_err(failed)?;
    let start = out.len();
    let end = start.saturating_add(length);
    if end > cap {
        return Err(ProtocolError::DecompressionCap {
            codec: Codec::Snappy,
            cap,
        });
    }
    out.resize(end, 0);
    let target = out.get_mut(start..).unwrap_or_default();
    let written = snap::raw::Decoder::new().decompress(block, target).map_err(failed)?;
    out.truncate(start + written);
    Ok(())
}

/// Compresses `records` with the codec's `level`, or Kafka's default for it.
///
/// # Errors
/// [`ProtocolError::Decompression`] wraps what the codec reports; it does not
/// happen for memory-sized input.
pub fn compress(codec: Codec, level: Option<i32>, records: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let result = match codec {
        Codec::None => Ok(records.to_vec()),
        Codec::Gzip => compress_gzip(records, level),
        Codec::Snappy => compress_snappy(records),
        Codec::Lz4 => compress_lz4(records),
        Codec::Zstd => zstd::stream::encode_all(records, level.unwrap_or(3)),
    };
    result.map_err(|source| ProtocolError::Decompression { codec, source })
}

fn compress_gzip(records: &[u8], level: Option<i32>) -> io::Result<Vec<u8>> {
    let level = level
        .and_then(|level| u32::try_from(level).ok())
        .filter(|level| *level <= 9)
        .map_or_else(flate2::Compression::default, flate2::Compression::new);
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(records.len() / 2), level);
    encoder.write_all(records)?;
    encoder.finish()
}

/// Java's stream format, in its 32 KiB blocks: every client reads it.
fn compress_snappy(records: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(XERIAL_HEADER_BYTES + records.len() / 2);
    out.extend_from_slice(&XERIAL_MAGIC);
    out.extend_from_slice(&1i32.to_be_bytes());
    out.extend_from_slice(&1i32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in records.chunks(XERIAL_BLOCK_BYTES) {
        let compressed = encoder.compress_vec(block)?;
        let length = u32::try_from(compressed.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&compressed);
    }
    Ok(out)
}

/// Independent 64 KiB blocks without sums, as Kafka's own writer does.
fn compress_lz4(records: &[u8]) -> io::Result<Vec<u8>> {
    let info = lz4_flex::frame::FrameInfo::new()
        .block_size(lz4_flex::frame::BlockSize::Max64KB)
        .block_mode(lz4_flex::frame::BlockMode::Independent);
    let out = Vec::with_capacity(records.len() / 2);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, out);
    encoder.write_all(records)?;
    encoder.finish().map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    fn decompress(codec: Codec, block: &[u8], cap: usize) -> Result<Vec<u8>, ProtocolError> {
        let mut out = Vec::new();
        decompress_into(codec, block, cap, &mut out)?;
        Ok(out)
    }

    proptest! {
        #[test]
        fn every_codec_round_trips(data in prop::collection::vec(0u8..4, 0..100_000)) {
            for codec in CODECS {
                let block = compress(codec, None, &data).unwrap();
                prop_assert_eq!(&decompress(codec, &block, data.len()).unwrap(), &data);
            }
        }

        #[test]
        fn garbage_never_panics(data in prop::collection::vec(any::<u8>(), 0..2000)) {
            for codec in CODECS {
                let _ = decompress(codec, &data, 1 << 20);
            }
        }
    }

    #[test]
    fn bare_snappy_and_several_gzip_members_are_read() {
        let bare = snap::raw::Encoder::new().compress_vec(b"hello hello hello").unwrap();
        assert_eq!(decompress(Codec::Snappy, &bare, 100).unwrap(), b"hello hello hello");

        let mut members = compress(Codec::Gzip, Some(1), b"one ").unwrap();
        members.extend(compress(Codec::Gzip, Some(9), b"two").unwrap());
        assert_eq!(decompress(Codec::Gzip, &members, 100).unwrap(), b"one two");
    }

    #[test]
    fn a_bomb_stops_at_the_cap() {
        let data = vec![0u8; 4 << 20];
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let block = compress(codec, None, &data).unwrap();
            let error = decompress(codec, &block, 1 << 20).unwrap_err();
            assert!(
                matches!(error, ProtocolError::DecompressionCap { .. }),
                "{codec:?}: {error}"
            );
        }
        // A bare snappy block of six bytes that claims 4 GiB.
        let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
        assert!(decompress(Codec::Snappy, &claim, 1 << 20).is_err());
    }

    #[test]
    fn cut_blocks_are_errors() {
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let block = compress(codec, None, &[7u8; 5000]).unwrap();
            assert!(
                decompress(codec, &block[..block.len() - 3], 1 << 20).is_err(),
                "{codec:?}"
            );
        }
    }
}
