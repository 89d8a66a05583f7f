//! Lines out of pieces
//!
//! The stream's pieces end anywhere: within a line, between its two last bytes, within a character. Pure.

/// Collects pieces.
#[derive(Debug)]
pub struct Lines {
    rest: Vec<u8>,
    max_bytes: usize,
}

/// A line is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Lines {
    /// Starts empty.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            rest: Vec::new(),
            max_bytes,
        }
    }

    /// Takes a piece and gives the lines that are whole now; empty ones, which only keep the connection alive, are left
    /// out.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut lines = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(part);
            if self.rest.len() > self.max_bytes {
                return Err(TooLong);
            }
            if part.last() == Some(&b'\n') {
                let line = self.rest.trim_ascii();
                if !line.is_empty() {
                    lines.push(line.to_vec());
                }
                self.rest.clear();
            }
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_do_not_depend_on_the_pieces() {
        let text = "{\"a\":\"ñ\"}\r\n\r\n{\"b\":2}\n\r\n{\"c\":3}\r\nrest".as_bytes();
        for size in 1..text.len() {
            let mut lines = Lines::new(100);
            let found: Vec<Vec<u8>> = text
                .chunks(size)
                .flat_map(|piece| lines.push(piece).expect("short lines"))
                .collect();
            let found: Vec<&str> = found
                .iter()
                .map(|line| std::str::from_utf8(line).expect("text"))
                .collect();
            assert_eq!(found, ["{\"a\":\"ñ\"}", "{\"b\":2}", "{\"c\":3}"], "pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::new(10);
        assert_eq!(lines.push(b"0123456789"), Ok(vec![]));
        assert_eq!(lines.push(b"x"), Err(TooLong));
    }
}
