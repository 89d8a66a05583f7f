//! Which media types are taken and given
//!
//! Three types are produced, in this order of preference; what a client accepts more comes first. A body may also come as
//! `application/octet-stream`, or without a type.

/// The types that are produced, best first.
pub(crate) const PRODUCED: [&str; 3] = [
    "application/vnd.schemaregistry.v1+json",
    "application/vnd.schemaregistry+json",
    "application/json",
];

/// Chooses the type of an answer; `None` when the client takes none of them.
pub(crate) fn answer_type(accept: Option<&str>) -> Option<&'static str> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
        return PRODUCED.first().copied();
    };
    let ranges: Vec<Range<'_>> = accept.split(',').filter_map(Range::parse).collect();
    let mut best: Option<(u16, &'static str)> = None;
    for produced in PRODUCED {
        let quality = quality(&ranges, produced);
        if quality > 0 && best.is_none_or(|(other, _)| quality > other) {
            best = Some((quality, produced));
        }
    }
    best.map(|(_, produced)| produced)
}

/// Is true when a body of this type is read.
pub(crate) fn is_body_type(content_type: Option<&str>) -> bool {
    let Some(given) = content_type else {
        return true;
    };
    let media = given.split(';').next().unwrap_or_default().trim();
    let mut taken = PRODUCED.iter().chain(&["application/octet-stream"]);
    taken.any(|known| media.eq_ignore_ascii_case(known))
}

/// One entry of an `Accept` header.
#[derive(Debug)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';');
        let media = parts.next()?.trim();
        // Java's own HTTP client sends a lone star.
        let (kind, subtype) = media.split_once('/').unwrap_or((media, "*"));
        let quality = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
        });
        Some(Self {
            kind: kind.trim(),
            subtype: subtype.trim(),
            quality: quality.unwrap_or(1000),
        })
    }

    /// How exactly the range names a type: 0 not at all, 3 in full.
    fn closeness(&self, kind: &str, subtype: &str) -> u8 {
        if self.kind == "*" {
            return 1;
        }
        if !self.kind.eq_ignore_ascii_case(kind) {
            return 0;
        }
        if self.subtype == "*" {
            return 2;
        }
        if self.subtype.eq_ignore_ascii_case(subtype) {
            3
        } else {
            0
        }
    }
}

fn thousandths(text: &str) -> u16 {
    let value: f32 = text.parse().unwrap_or(0.0);
    // From 0 to 1000, so nothing is lost.
    (value.clamp(0.0, 1.0) * 1000.0) as u16
}

/// What the nearest range says of a type.
fn quality(ranges: &[Range<'_>], produced: &str) -> u16 {
    let (kind, subtype) = produced.split_once('/').unwrap_or((produced, ""));
    let near = ranges
        .iter()
        .map(|range| (range.closeness(kind, subtype), range.quality))
        .filter(|(closeness, _)| *closeness > 0);
    near.max().map_or(0, |(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_wish_comes_before_ours() {
        let [v1, plain, json] = PRODUCED;
        for (accept, expected) in [
            (None, Some(v1)),
            (Some(""), Some(v1)),
            (Some("*/*"), Some(v1)),
            (Some("application/*"), Some(v1)),
            (Some("application/json"), Some(json)),
            (Some("APPLICATION/JSON; charset=utf-8"), Some(json)),
            (Some("application/vnd.schemaregistry+json"), Some(plain)),
            (
                Some("application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json"),
                Some(v1),
            ),
            (Some("application/json, */*;q=0.1"), Some(json)),
            (
                Some("application/json;q=0.5, application/vnd.schemaregistry+json;q=0.4"),
                Some(json),
            ),
            (Some("text/html, image/gif, *; q=.2, */*; q=.2"), Some(v1)),
            (Some("*/*, application/vnd.schemaregistry.v1+json;q=0"), Some(plain)),
            (Some("text/plain"), None),
            (Some("application/json;q=0"), None),
            (Some("application/json;q=x"), None),
        ] {
            assert_eq!(answer_type(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn bodies_are_read_in_four_types_and_without_one() {
        for (given, expected) in [
            (None, true),
            (Some("application/json"), true),
            (Some("Application/JSON; charset=UTF-8"), true),
            (Some("application/vnd.schemaregistry.v1+json"), true),
            (Some("application/vnd.schemaregistry+json"), true),
            (Some("application/octet-stream"), true),
            (Some("text/plain"), false),
            (Some("application/x-www-form-urlencoded"), false),
            (Some(""), false),
        ] {
            assert_eq!(is_body_type(given), expected, "{given:?}");
        }
    }
}
