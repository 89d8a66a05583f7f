//! HTTP, budgets and secrets on the development machine: answered by the test

use std::collections::VecDeque;

use serde_json::Value;
use weir_api::budget::Rate;

use crate::http::{Answer, Chunk, HttpError, Request, Target};
use crate::testing::{Piece, with_host};

pub(crate) fn monotonic_ms() -> u64 {
    with_host(|host| host.clock_ms.and_then(|now_ms| u64::try_from(now_ms).ok()).unwrap_or(0))
}

/// Moves the virtual clock; a host without one has nothing to move.
pub(super) fn advance(ms: u64) {
    with_host(|host| {
        if let Some(now_ms) = &mut host.clock_ms {
            *now_ms = now_ms.saturating_add_unsigned(ms);
        }
    });
}

pub(crate) fn send_request(request: &Request, _target: &Target<'_>) -> Result<Answer, HttpError> {
    // Taken out for the call, so that the handler may look at the host itself.
    let Some(mut handler) = with_host(|host| host.http.take()) else {
        return Err(HttpError::Denied("the test answers no requests".to_owned()));
    };
    let answered = handler(request, crate::runtime::now_ms());
    with_host(|host| {
        host.http.get_or_insert(handler);
    });
    if answered == Err(HttpError::TimedOut) {
        advance(u64::from(request.read_timeout_ms));
    }
    let response = answered?;
    Ok(Answer {
        status: response.status,
        headers: response.headers,
        body: BodyHandle {
            pieces: response.pieces.into(),
            has_given_bytes: false,
            silent_ms: 0,
            read_timeout_ms: u64::from(request.read_timeout_ms),
        },
    })
}

/// What is left of a scripted body.
#[derive(Debug)]
pub(crate) struct BodyHandle {
    pieces: VecDeque<Piece>,
    has_given_bytes: bool,
    /// Since the last byte.
    silent_ms: u64,
    read_timeout_ms: u64,
}

impl BodyHandle {
    pub(crate) fn read(&mut self, max: usize, wait_ms: u32) -> Result<Chunk, HttpError> {
        let mut wait_left_ms = u64::from(wait_ms);
        loop {
            match self.pieces.pop_front() {
                None => return Ok(Chunk::End),
                Some(Piece::Bytes(bytes)) if bytes.is_empty() => {}
                Some(Piece::Bytes(mut bytes)) => {
                    let rest = bytes.split_off(bytes.len().min(max));
                    self.pieces.push_front(Piece::Bytes(rest));
                    self.has_given_bytes = true;
                    self.silent_ms = 0;
                    return Ok(Chunk::Bytes(bytes));
                }
                Some(Piece::Reset) => {
                    self.pieces.clear();
                    self.pieces.push_front(Piece::Reset);
                    return Err(if self.has_given_bytes {
                        HttpError::Truncated
                    } else {
                        HttpError::Reset
                    });
                }
                Some(Piece::Wait(ms)) => {
                    let waited_ms = self.wait(ms, wait_left_ms)?;
                    wait_left_ms -= waited_ms;
                    if waited_ms < ms {
                        self.pieces.push_front(Piece::Wait(ms - waited_ms));
                        return Ok(Chunk::Nothing);
                    }
                }
                Some(Piece::Hang) => {
                    self.pieces.push_front(Piece::Hang);
                    self.wait(u64::MAX, wait_left_ms)?;
                    return Ok(Chunk::Nothing);
                }
            }
        }
    }

    /// Lets time pass: as long as the piece lasts, the caller waits and the read timeout allows.
    fn wait(&mut self, piece_ms: u64, wait_left_ms: u64) -> Result<u64, HttpError> {
        let allowed_ms = self.read_timeout_ms.saturating_sub(self.silent_ms);
        let waited_ms = piece_ms.min(wait_left_ms).min(allowed_ms);
        advance(waited_ms);
        self.silent_ms += waited_ms;
        if self.silent_ms >= self.read_timeout_ms && waited_ms < piece_ms {
            return Err(HttpError::TimedOut);
        }
        Ok(waited_ms)
    }
}

pub(crate) fn budget_take(name: &str, rate: Rate) -> u32 {
    let now_ms = crate::runtime::now_ms();
    with_host(|host| {
        let wait_ms = host.budgets.entry(name.to_owned()).or_default().take(rate, now_ms);
        u32::try_from(wait_ms).unwrap_or(u32::MAX)
    })
}

pub(crate) fn budget_hold(name: &str, ms: u32) {
    let now_ms = crate::runtime::now_ms();
    with_host(|host| {
        host.budgets
            .entry(name.to_owned())
            .or_default()
            .hold(u64::from(ms), now_ms)
    });
}

pub(crate) fn learn_secret(value: &str) -> String {
    with_host(|host| host.learned.push(value.to_owned()));
    value.to_owned()
}

/// As the worker takes them apart (`runtime/plugins/src/secrets.rs`).
pub(crate) fn secret_entries(text: &str) -> Vec<(String, String)> {
    if let Ok(Value::Object(object)) = serde_json::from_str(text) {
        return object
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
            .collect();
    }
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            let name = name.trim();
            (!name.is_empty()).then(|| (name.to_owned(), value.trim().to_owned()))
        })
        .collect()
}

pub(crate) fn basic_credentials(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {credentials}")
}
