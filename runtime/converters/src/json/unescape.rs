//! Escapes of JSON texts resolved
//!
//! Escaped surrogate pairs join to one character; half a pair becomes `?`, as Java encodes it.

/// Appends a text with its escapes resolved; they were checked when the tape was made.
pub(crate) fn push_unescaped(out: &mut Vec<u8>, raw: &str) {
    let mut rest = raw;
    let mut high: Option<u16> = None;
    while let Some(stop) = rest.find('\\') {
        let (plain, tail) = rest.split_at(stop);
        if !plain.is_empty() {
            end_pair(out, &mut high);
            out.extend_from_slice(plain.as_bytes());
        }
        let mut chars = tail.chars();
        chars.next();
        let code = chars.next().unwrap_or_default();
        rest = chars.as_str();
        if code == 'u' {
            let unit = rest
                .get(..4)
                .and_then(|digits| u16::from_str_radix(digits, 16).ok())
                .unwrap_or_default();
            rest = rest.get(4..).unwrap_or_default();
            push_unit(out, &mut high, unit);
            continue;
        }
        end_pair(out, &mut high);
        out.push(match code {
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            '"' => b'"',
            '/' => b'/',
            _ => b'\\',
        });
    }
    end_pair(out, &mut high);
    out.extend_from_slice(rest.as_bytes());
}

/// Writes a high surrogate that found no partner as `?`, as Java encodes it.
fn end_pair(out: &mut Vec<u8>, high: &mut Option<u16>) {
    if high.take().is_some() {
        out.push(b'?');
    }
}

fn push_unit(out: &mut Vec<u8>, high: &mut Option<u16>, unit: u16) {
    if let (Some(first), 0xdc00..=0xdfff) = (*high, unit) {
        *high = None;
        let joined = char::decode_utf16([first, unit])
            .next()
            .and_then(Result::ok)
            .unwrap_or('?');
        push_char(out, joined);
        return;
    }
    end_pair(out, high);
    match unit {
        0xd800..=0xdbff => *high = Some(unit),
        0xdc00..=0xdfff => out.push(b'?'),
        _ => push_char(out, char::from_u32(u32::from(unit)).unwrap_or('?')),
    }
}

fn push_char(out: &mut Vec<u8>, c: char) {
    let mut buffer = [0; 4];
    out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
}
