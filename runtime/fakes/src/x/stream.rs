//! The filtered stream: one JSON object a line, keep-alives between, and the ways it ends
//!
//! A connection is planned when it is made: which posts come when, a little out of order and some of them twice, cut
//! into pieces at any byte, and how it ends. What is written while nobody is connected never comes.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::service::{FakeRequest, FakeResponse, Piece};
use crate::x::clock::rfc3339;
use crate::x::lists::{Query, includes, post_fields};
use crate::x::posts::{Post, mix};
use crate::x::problems;
use crate::x::service::XService;

const KEEP_ALIVE_MS: u64 = 20_000;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The body ends.
    Eof,
    /// An error object comes, and the body ends.
    Disconnect,
    /// The connection is cut.
    Reset,
    /// Nothing comes any more, not even keep-alives.
    Silence,
}

/// How streams run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Shortest and longest time until a connection ends.
    pub session_ms: (u64, u64),
    /// Times and endings of the next connections.
    pub scripted: VecDeque<(u64, Ending)>,
    /// Longest delay of a post.
    pub delay_ms: u64,
    /// One post in so many comes twice; 0 = none.
    pub twice_every: u64,
    /// One post in so many is followed by a line that is no post, one in ten times as many by one that is no JSON;
    /// 0 = none.
    pub noise_every: u64,
    /// Whether a second connection is refused while one is open, rather than taking its place.
    pub refuses_second: bool,
    /// When the last connection ends; tests clear it where the client closed it before.
    pub open_until_ms: Option<i64>,
    /// Connections so far.
    pub connections: u32,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            session_ms: (10 * 60_000, 60 * 60_000),
            scripted: VecDeque::new(),
            delay_ms: 4_000,
            twice_every: 25,
            noise_every: 40,
            refuses_second: false,
            open_until_ms: None,
            connections: 0,
        }
    }
}

pub(crate) fn connect(service: &mut XService, request: &FakeRequest, now_ms: i64) -> FakeResponse {
    if service.rules.list.is_empty() {
        return problems::no_rules();
    }
    if service.stream.refuses_second && service.stream.open_until_ms.is_some_and(|until| until > now_ms) {
        return problems::too_many_connections();
    }
    let backfill = request.query_param("backfill_minutes").unwrap_or_default();
    let backfill_minutes = backfill.parse::<i64>().unwrap_or(0);
    if !(0..=5).contains(&backfill_minutes) || (backfill_minutes > 0 && !service.is_enterprise) {
        let message = "The `backfill_minutes` query parameter is not available at your access level";
        return problems::invalid_request("backfill_minutes", &backfill, message);
    }
    let (length_ms, ending) = service.plan(now_ms);
    service.stream.connections += 1;
    let length = i64::try_from(length_ms).unwrap_or(i64::MAX);
    service.stream.open_until_ms = Some(now_ms.saturating_add(length));
    let lines = service.lines(request, now_ms, backfill_minutes * 60_000, length_ms);
    let mut response = FakeResponse::bytes(200, "application/json; charset=utf-8", Vec::new());
    response.pieces = pieces(lines, length_ms, ending, service.world.seed ^ now_ms.unsigned_abs());
    response
}

impl XService {
    fn plan(&mut self, now_ms: i64) -> (u64, Ending) {
        if let Some(scripted) = self.stream.scripted.pop_front() {
            return scripted;
        }
        let bits = mix(self.world.seed ^ now_ms.unsigned_abs());
        let (least, most) = self.stream.session_ms;
        let length_ms = least + (bits >> 8) % (most.saturating_sub(least) + 1);
        let ending = match bits % 4 {
            0 => Ending::Eof,
            1 => Ending::Disconnect,
            2 => Ending::Reset,
            _ => Ending::Silence,
        };
        (length_ms, ending)
    }

    /// Gives the lines with their times since the connection was made, in order.
    fn lines(&self, request: &FakeRequest, now_ms: i64, backfill_ms: i64, length_ms: u64) -> Vec<(u64, Vec<u8>)> {
        let rules: Vec<(Query, Value)> = self
            .rules
            .list
            .iter()
            .map(|rule| {
                let mut shown = rule.to_json();
                if let Some(map) = shown.as_object_mut() {
                    map.remove("value");
                }
                (Query::parse(&rule.value), shown)
            })
            .collect();
        let length = i64::try_from(length_ms).unwrap_or(i64::MAX);
        let fields = post_fields(request);
        let mut lines = Vec::new();
        for post in self.world.posts(now_ms - backfill_ms, now_ms.saturating_add(length)) {
            let matching: Vec<&Value> = rules
                .iter()
                .filter(|(query, _)| query.matches(&post, &self.world))
                .map(|(_, shown)| shown)
                .collect();
            if matching.is_empty() {
                continue;
            }
            let bits = mix(post.id ^ now_ms.unsigned_abs());
            let since_ms = u64::try_from(post.created_ms - now_ms).unwrap_or(0);
            let at_ms = since_ms
                + if since_ms > 0 {
                    bits % (self.stream.delay_ms + 1)
                } else {
                    0
                };
            let line = self.item(request, &post, &fields, &matching);
            if is_nth(bits >> 12, self.stream.twice_every) {
                lines.push((at_ms + bits % 9_000, line.clone()));
            }
            if is_nth(bits >> 20, self.stream.noise_every) {
                let noise = json!({"info": {"kind": "notice", "sent": rfc3339(now_ms)}});
                lines.push((at_ms, noise.to_string().into_bytes()));
            }
            if is_nth(bits >> 28, self.stream.noise_every.saturating_mul(10)) {
                lines.push((at_ms, b"{\"data\":{\"id\":".to_vec()));
            }
            lines.push((at_ms, line));
        }
        lines.sort_by_key(|(at_ms, _)| *at_ms);
        lines
    }

    fn item(&self, request: &FakeRequest, post: &Post, fields: &[String], matching: &[&Value]) -> Vec<u8> {
        let mut item = json!({"data": self.world.to_json(post, fields, self.spelling), "matching_rules": matching});
        if let (Some(includes), Some(map)) = (includes(self, request, &[*post]), item.as_object_mut()) {
            map.insert("includes".to_owned(), includes);
        }
        item.to_string().into_bytes()
    }
}

fn is_nth(bits: u64, every: u64) -> bool {
    every > 0 && bits.is_multiple_of(every)
}

fn pieces(lines: Vec<(u64, Vec<u8>)>, length_ms: u64, ending: Ending, seed: u64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at_ms = 0;
    for (line_ms, mut line) in lines {
        if line_ms > length_ms {
            break;
        }
        wait(&mut pieces, &mut at_ms, line_ms);
        line.extend_from_slice(b"\r\n");
        cut(&mut pieces, &line, mix(seed ^ line_ms));
    }
    wait(&mut pieces, &mut at_ms, length_ms);
    match ending {
        Ending::Eof => {}
        Ending::Disconnect => {
            let line = format!("{}\r\n", problems::operational_disconnect());
            pieces.push(Piece::Bytes(line.into_bytes()));
        }
        Ending::Reset => pieces.push(Piece::Reset),
        Ending::Silence => pieces.push(Piece::Hang),
    }
    pieces
}

/// Lets time pass, with keep-alives.
fn wait(pieces: &mut Vec<Piece>, at_ms: &mut u64, until_ms: u64) {
    while until_ms.saturating_sub(*at_ms) > KEEP_ALIVE_MS {
        pieces.push(Piece::Wait(KEEP_ALIVE_MS));
        pieces.push(Piece::Bytes(b"\r\n".to_vec()));
        *at_ms += KEEP_ALIVE_MS;
    }
    if until_ms > *at_ms {
        pieces.push(Piece::Wait(until_ms - *at_ms));
        *at_ms = until_ms;
    }
}

/// Cuts a line into pieces: often before its last byte, so that its end comes in two, and in the middle of characters.
fn cut(pieces: &mut Vec<Piece>, line: &[u8], bits: u64) {
    let length = u64::try_from(line.len()).unwrap_or(1).max(1);
    let at = match bits % 3 {
        0 => line.len().saturating_sub(1),
        1 => usize::try_from((bits >> 2) % length).unwrap_or(0),
        _ => line.len(),
    };
    for part in [line.get(..at), line.get(at..)].into_iter().flatten() {
        if !part.is_empty() {
            pieces.push(Piece::Bytes(part.to_vec()));
        }
    }
}
