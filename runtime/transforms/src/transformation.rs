//! What a transformation and a predicate are, and what surrounds them on a record
//!
//! Kafka: `Transformation`, `Predicate`. A transformation reads parts of a row in value encoding and writes new ones
//! into the buffer of its stage; it never touches what it does not change.

use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::error::ConnectError;

use crate::chain::RecordKind;
use crate::rows::{Cell, HeaderCell, Names, Place, Row, bytes_at, header_cells};

/// Whether the record goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Kept,
    Dropped,
}

/// A transformation of one stage.
pub(crate) trait Transformation: Send {
    /// Changes a row, or drops it. After an error the row is as before, as far as anyone looks at it.
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError>;
}

/// A predicate.
pub(crate) trait Predicate: Send {
    /// Judges a row.
    fn test(&mut self, cx: &ApplyCx<'_>, row: &Row) -> bool;
}

/// The key or the value: what the classes `$Key` and `$Value` work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Key,
    Value,
}

impl Side {
    pub(crate) fn cell(self, row: &Row) -> Cell {
        match self {
            Self::Key => row.key,
            Self::Value => row.value,
        }
    }

    pub(crate) fn set(self, row: &mut Row, cell: Cell) {
        match self {
            Self::Key => row.key = cell,
            Self::Value => row.value = cell,
        }
    }
}

/// What surrounds one stage.
pub(crate) struct ApplyCx<'a> {
    pub(crate) kind: RecordKind,
    pub(crate) schemas: &'a mut SchemaTable,
    pub(crate) names: &'a mut Names,
    /// Buffer of this stage; parts that rows already have lie elsewhere.
    pub(crate) out: &'a mut Vec<u8>,
    headers: &'a mut Vec<HeaderCell>,
    frame: &'a [u8],
    earlier: &'a [Vec<u8>],
}

impl<'a> ApplyCx<'a> {
    /// Surrounds stage number `earlier.len()`.
    pub(crate) fn new(
        (kind, schemas): (RecordKind, &'a mut SchemaTable),
        (frame, earlier, out): (&'a [u8], &'a [Vec<u8>], &'a mut Vec<u8>),
        (names, headers): (&'a mut Names, &'a mut Vec<HeaderCell>),
    ) -> Self {
        Self {
            kind,
            schemas,
            names,
            out,
            headers,
            frame,
            earlier,
        }
    }

    /// Gives the bytes of a part that was there before this stage; `None` is null.
    pub(crate) fn bytes(&self, cell: Cell) -> Option<&'a [u8]> {
        cell.place.map(|place| bytes_at(place, self.frame, self.earlier))
    }

    /// Gives what was written since the buffer had this length, as a part of a row.
    pub(crate) fn written(&self, start: usize, schema: SchemaId) -> Cell {
        Cell {
            schema,
            place: Some(Place {
                buffer: u32::try_from(self.earlier.len() + 1).unwrap_or(u32::MAX),
                start,
                len: self.out.len().saturating_sub(start),
            }),
        }
    }

    /// Appends bytes as a new part.
    pub(crate) fn write(&mut self, schema: SchemaId, bytes: Option<&[u8]>) -> Cell {
        let Some(bytes) = bytes else {
            return Cell { schema, place: None };
        };
        let start = self.out.len();
        self.out.extend_from_slice(bytes);
        self.written(start, schema)
    }

    pub(crate) fn headers(&self, row: &Row) -> &[HeaderCell] {
        header_cells(self.headers, row).unwrap_or_default()
    }

    /// Appends a header to those of a row.
    pub(crate) fn add_header(&mut self, row: &mut Row, name: u32, value: Cell) {
        if row.first_header + row.headers != self.headers.len() {
            self.copy_headers(row, |_| true);
        }
        self.headers.push(HeaderCell { name, value });
        row.headers += 1;
    }

    /// Leaves out headers of a row that do not pass.
    pub(crate) fn copy_headers(&mut self, row: &mut Row, keep: impl Fn(&str) -> bool) {
        let old = row.first_header..row.first_header + row.headers;
        row.first_header = self.headers.len();
        row.headers = 0;
        for at in old {
            if let Some(header) = self.headers.get(at).copied()
                && keep(self.names.get(header.name))
            {
                self.headers.push(header);
                row.headers += 1;
            }
        }
    }
}
