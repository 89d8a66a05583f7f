//! A reader of DER: tag, length, content, one after another
//!
//! Borrows from the input and never panics; what does not fit is `None`. Only what key stores need: one-byte tags and definite
//! lengths.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]` around another value.
pub(crate) const CONTEXT_0: u8 = 0xa0;

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Der<'a> {
    rest: &'a [u8],
}

impl<'a> Der<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next value.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value: its tag and content.
    pub(crate) fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.rest.split_first()?;
        let (first, mut rest) = rest.split_first()?;
        let length = match usize::from(*first) {
            short @ 0..=0x7f => short,
            long @ 0x81..=0x84 => {
                let (bytes, after) = rest.split_at_checked(long & 0x7f)?;
                rest = after;
                bytes
                    .iter()
                    .fold(0, |length: usize, byte| (length << 8) | usize::from(*byte))
            }
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        self.rest = after;
        Some((*tag, content))
    }

    /// The content of the next value, which has this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.any()?;
        (found == tag).then_some(content)
    }

    /// What is inside the next value, which has this tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Option<Der<'a>> {
        self.expect(tag).map(Der::new)
    }

    /// The next value, which has this tag, with its tag and length.
    pub(crate) fn whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = self.rest;
        self.expect(tag)?;
        before.get(..before.len().checked_sub(self.rest.len())?)
    }

    /// A small number that is not negative.
    pub(crate) fn number(&mut self) -> Option<u32> {
        let bytes = self.expect(INTEGER)?;
        if bytes.len() > 5 || bytes.first().is_none_or(|first| first & 0x80 != 0) {
            return None;
        }
        let value = bytes.iter().fold(0, |value: u64, byte| (value << 8) | u64::from(*byte));
        u32::try_from(value).ok()
    }
}

/// Subject, issuer and the name a certificate is for when it lists no other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CertificateNames<'a> {
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    /// It has subject alternative names.
    pub(crate) has_alternatives: bool,
}

impl<'a> CertificateNames<'a> {
    pub(crate) fn of(certificate: &'a [u8]) -> Option<Self> {
        const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
        const EXTENSIONS: u8 = 0xa3;
        let mut body = Der::new(certificate).enter(SEQUENCE)?.enter(SEQUENCE)?;
        if body.peek() == Some(CONTEXT_0) {
            body.any()?;
        }
        body.expect(INTEGER)?;
        body.expect(SEQUENCE)?;
        let issuer = body.whole(SEQUENCE)?;
        body.expect(SEQUENCE)?;
        let subject = body.whole(SEQUENCE)?;
        let mut has_alternatives = false;
        while !body.is_empty() {
            let (tag, content) = body.any()?;
            if tag == EXTENSIONS {
                let mut extensions = Der::new(content).enter(SEQUENCE)?;
                while !extensions.is_empty() {
                    has_alternatives |= extensions.enter(SEQUENCE)?.expect(OID)? == ALTERNATIVE_NAMES;
                }
            }
        }
        Some(Self {
            issuer,
            subject,
            has_alternatives,
        })
    }

    /// The last common name of the subject.
    pub(crate) fn common_name(&self) -> Option<&'a str> {
        const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
        let mut parts = Der::new(self.subject).enter(SEQUENCE)?;
        let mut name = None;
        while !parts.is_empty() {
            let mut part = parts.enter(SET)?;
            while !part.is_empty() {
                let mut pair = part.enter(SEQUENCE)?;
                if pair.expect(OID)? == COMMON_NAME {
                    name = std::str::from_utf8(pair.any()?.1).ok();
                }
            }
        }
        name
    }
}
