//! Lines out of bytes that arrive in pieces
//!
//! Pure. A line ends with LF, CR or CR LF; a CR that is the last byte so far waits for the next one. Positions count
//! bytes. Cost for each line: one vector search for its end; UTF-8 is validated once for each piece, not for each line.
//! DIVERGES: Apache's task counts UTF-16 units, so that a file with other than ASCII text is resumed at the wrong byte.

use std::borrow::Cow;

use memchr::memchr2;
use weir_sdk::api::data::java_utf8;
use weir_sdk::api::error::ConnectError;

/// Longest line: what is read of it is kept in memory until its end comes.
pub const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// Bytes that were read and are not yet consumed as lines.
///
/// Invariant: `start <= scanned <= bytes.len()`, no line ends between `start` and `scanned`, and `start..valid` is
/// UTF-8 where `valid > start`.
#[derive(Debug, Default)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    start: usize,
    scanned: usize,
    valid: usize,
    position: i64,
}

/// One line and the position behind its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The text, decoded as Java does: bytes that are UTF-8.
    pub text: Cow<'a, [u8]>,
    /// Where the next line starts.
    pub position: i64,
}

impl LineBuffer {
    /// Starts at a position.
    pub fn starting_at(position: i64) -> Self {
        Self {
            position,
            ..Self::default()
        }
    }

    /// Position of the first byte not consumed.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Takes bytes that were read behind those it has.
    ///
    /// # Errors
    /// Fatal when a line is longer than [`MAX_LINE_BYTES`].
    pub fn push(&mut self, read: Vec<u8>) -> Result<(), ConnectError> {
        if self.bytes.len() - self.start + read.len() > MAX_LINE_BYTES {
            let position = self.position;
            return Err(ConnectError::fatal(format!(
                "the line at position {position} is longer than {MAX_LINE_BYTES} bytes"
            )));
        }
        self.valid = self.valid.max(self.start);
        if self.start == self.bytes.len() {
            self.bytes = read;
            (self.start, self.scanned, self.valid) = (0, 0, 0);
        } else {
            self.bytes.drain(..self.start);
            self.scanned -= self.start;
            self.valid -= self.start;
            self.start = 0;
            self.bytes.extend_from_slice(&read);
        }
        let unchecked = self.bytes.get(self.valid..).unwrap_or_default();
        self.valid += match std::str::from_utf8(unchecked) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        Ok(())
    }

    /// Takes the next complete line.
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        let unscanned = self.bytes.get(self.scanned..)?;
        let Some(found) = memchr2(b'\n', b'\r', unscanned) else {
            self.scanned = self.bytes.len();
            return None;
        };
        let end = self.scanned + found;
        let next = match self.bytes.get(end..end + 2) {
            Some(b"\r\n") => end + 2,
            None if self.bytes.get(end) == Some(&b'\r') => {
                self.scanned = end;
                return None;
            }
            _ => end + 1,
        };
        let start = std::mem::replace(&mut self.start, next);
        self.scanned = next;
        self.position += i64::try_from(next - start).unwrap_or(i64::MAX);
        let line = self.bytes.get(start..end).unwrap_or_default();
        Some(Line {
            text: decoded(line, end <= self.valid),
            position: self.position,
        })
    }
}

/// The text of a line, as bytes that are UTF-8.
fn decoded(line: &[u8], is_valid: bool) -> Cow<'_, [u8]> {
    if is_valid {
        return Cow::Borrowed(line);
    }
    match java_utf8::decoded(line) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::{LineBuffer, MAX_LINE_BYTES};

    /// Feeds pieces and gives `text@position` of each line.
    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut buffer = LineBuffer::starting_at(0);
        let mut found = Vec::new();
        for piece in pieces {
            buffer.push(piece.to_vec()).expect("short lines");
            while let Some(line) = buffer.next_line() {
                found.push(format!(
                    "{}@{}",
                    std::str::from_utf8(&line.text).expect("valid text"),
                    line.position
                ));
            }
        }
        found
    }

    fn check(pieces: &[&[u8]], expected: &[&str]) {
        assert_eq!(lines(pieces), expected, "{pieces:?}");
    }

    #[test]
    fn a_line_ends_with_lf_cr_or_both() {
        check(&[b"a\nb\rc\r\nd\n"], &["a@2", "b@4", "c@7", "d@9"]);
        check(&[b"\n\r\r\n\n\r"], &["@1", "@2", "@4", "@5"]);
        check(&[b"no end"], &[]);
        check(&[b""], &[]);
    }

    #[test]
    fn a_carriage_return_at_the_end_waits_for_the_next_byte() {
        check(&[b"a\r"], &[]);
        check(&[b"a\r", b"\nb\n"], &["a@3", "b@5"]);
        check(&[b"a\r", b"b\n"], &["a@2", "b@4"]);
        check(&[b"a\r", b"", b"\r", b"x"], &["a@2", "@3"]);
    }

    #[test]
    fn pieces_may_end_anywhere() {
        let whole: &[u8] = "één\r\ntwo\n😀\nrest".as_bytes();
        let expected = lines(&[whole]);
        for at in 0..=whole.len() {
            let (head, tail) = whole.split_at(at);
            assert_eq!(lines(&[head, tail]), expected, "split at {at}");
        }
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(lines(&bytes), expected);
    }

    #[test]
    fn invalid_text_is_replaced_in_its_own_line_only() {
        check(&[b"a\xff\nb\n", "é\n".as_bytes()], &["a\u{fffd}@3", "b@5", "é@8"]);
        check(&[b"a\xe2\x82", b"\xac\n\xe2\x82\n"], &["a€@5", "\u{fffd}@8"]);
        check(&[b"\xff", b"\xe2\x82", b"\xac\nz\n"], &["\u{fffd}€@5", "z@7"]);
    }

    #[test]
    fn an_endless_line_is_an_error_that_names_its_position() {
        let mut buffer = LineBuffer::starting_at(0);
        buffer.push(b"first\n".to_vec()).expect("short");
        assert!(buffer.next_line().is_some());
        buffer.push(vec![b'x'; MAX_LINE_BYTES / 2]).expect("within the bound");
        assert!(buffer.next_line().is_none());
        let error = buffer
            .push(vec![b'x'; MAX_LINE_BYTES / 2 + 1])
            .expect_err("over the bound");
        assert!(error.message.contains("position 6"), "{}", error.message);
    }
}
