//! A small REST service: items that grow with time, paged in many ways
//!
//! `/items` by time with page, offset and next links, `/ids` by id, `/cursor` by an opaque cursor, `/snapshot` of values
//! that change and vanish, `/token` and `/secure/items` with tokens that expire. Synthetic; two items share each time.

use serde_json::{Map, Value, json};

use crate::service::{FakeRequest, FakeResponse, Service};

/// Seconds that a token lives.
const TOKEN_SECONDS: i64 = 2;
/// Rows of a page where the request does not say.
const DEFAULT_SIZE: usize = 2;
/// Items that share one time.
const PER_TICK: i64 = 2;
/// Entries of the snapshot.
const SNAPSHOT_KEYS: i64 = 20;

/// The service.
#[derive(Debug, Clone)]
pub struct Items {
    start_ms: i64,
    every_ms: i64,
    end_ms: i64,
    tokens: i64,
    token_until_ms: i64,
}

impl Items {
    /// Starts a service that makes two items every so many milliseconds, from `start_ms` to `end_ms`.
    pub fn new(start_ms: i64, end_ms: i64, every_ms: i64) -> Self {
        Self {
            start_ms,
            every_ms: every_ms.max(1),
            end_ms,
            tokens: 0,
            token_until_ms: i64::MIN,
        }
    }

    /// Gives the items that were made in a time, both ends included: what a perfect reader must emit.
    pub fn truth(&self, from_ms: i64, to_ms: i64) -> Vec<Value> {
        let count = self.count(to_ms);
        let first = ((from_ms - self.start_ms).max(0) + self.every_ms - 1) / self.every_ms * PER_TICK;
        (first..count).map(|at| self.item(at)).collect()
    }

    /// Gives the values of the snapshot at a time: they change every few ticks, and some come and go.
    pub fn snapshot(&self, now_ms: i64) -> Vec<Value> {
        let tick = (now_ms.min(self.end_ms) - self.start_ms).max(0) / self.every_ms;
        (0..SNAPSHOT_KEYS)
            .filter(|key| key % 5 != 4 || (tick / 7 + key) % 3 != 0)
            .map(|key| json!({"id": key + 1, "price": (tick + key) / (key + 3), "name": name_of(key)}))
            .collect()
    }

    /// Number of items made so far.
    fn count(&self, now_ms: i64) -> i64 {
        match now_ms.min(self.end_ms).checked_sub(self.start_ms) {
            Some(passed) if passed >= 0 => (passed / self.every_ms + 1) * PER_TICK,
            _ => 0,
        }
    }

    fn item(&self, at: i64) -> Value {
        let time_ms = self.start_ms + at / PER_TICK * self.every_ms;
        let mut item = Map::new();
        item.insert("id".to_owned(), json!(at + 1));
        item.insert("updated_at".to_owned(), json!(time_text(time_ms)));
        item.insert("at_ms".to_owned(), json!(time_ms));
        item.insert("name".to_owned(), json!(name_of(at)));
        if at % 3 == 2 {
            item.insert("tags".to_owned(), json!(["a", "b"]));
        }
        Value::Object(item)
    }

    fn items(&self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        let from_ms = match time_param(request, "updated_since") {
            Ok(from_ms) => from_ms.unwrap_or(i64::MIN / 4),
            Err(refusal) => return refusal,
        };
        let until_ms = match time_param(request, "until") {
            Ok(until_ms) => until_ms.map_or(now_ms, |until_ms| until_ms - 1),
            Err(refusal) => return refusal,
        };
        let mut rows = self.truth(from_ms.max(self.start_ms), until_ms.min(now_ms));
        match request.query_param("order").as_deref() {
            Some("desc") => rows.reverse(),
            // A repeatable disorder.
            Some("unordered") => rows.sort_by_key(|row| row["id"].as_i64().unwrap_or(0).wrapping_mul(7_919) % 101),
            _ => {}
        }
        let size = number(request, "size").unwrap_or(DEFAULT_SIZE).max(1);
        let page = number(request, "page").unwrap_or(1).max(1);
        let first = number(request, "offset").unwrap_or((page - 1).saturating_mul(size));
        let total = rows.len();
        let shown: Vec<Value> = rows.into_iter().skip(first).take(size).collect();
        let has_more = first + shown.len() < total;
        let next = has_more.then(|| with_page(request, page + 1));
        let response = FakeResponse::json(200, &json!({"items": shown, "next": next, "total": total}));
        match next {
            Some(next) => response.header("link", format!("<{next}>; rel=\"next\"")),
            None => response,
        }
    }

    fn after(&self, request: &FakeRequest, now_ms: i64, param: &str) -> Vec<Value> {
        let after: i64 = request
            .query_param(param)
            .and_then(|after| after.parse().ok())
            .unwrap_or(0);
        let size = number(request, "limit").unwrap_or(DEFAULT_SIZE).max(1);
        // Item n has the id n + 1.
        (after.max(0)..self.count(now_ms))
            .take(size)
            .map(|at| self.item(at))
            .collect()
    }

    fn cursor(&self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        let rows = self.after(request, now_ms, "after");
        let paging = match rows.last().and_then(|row| row["id"].as_i64()) {
            Some(id) => json!({"cursors": {"after": id.to_string()}}),
            None => json!({}),
        };
        FakeResponse::json(200, &json!({"data": {"rows": rows}, "paging": paging}))
    }

    fn token(&mut self, now_ms: i64) -> FakeResponse {
        self.tokens += 1;
        self.token_until_ms = now_ms + TOKEN_SECONDS * 1_000;
        let answer = json!({"access_token": self.token_text(), "token_type": "bearer", "expires_in": TOKEN_SECONDS});
        FakeResponse::json(200, &answer)
    }

    fn token_text(&self) -> String {
        format!("MARKER-token-{}", self.tokens)
    }

    fn secure(&self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        let wanted = format!("Bearer {}", self.token_text());
        if request.header("authorization") != Some(wanted.as_str()) || now_ms >= self.token_until_ms {
            return FakeResponse::json(401, &json!({"error": "expired"}));
        }
        self.items(request, now_ms)
    }
}

impl Service for Items {
    fn handle(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET" | "POST", "/items") => self.items(request, now_ms),
            ("GET", "/ids") => FakeResponse::json(200, &json!({"items": self.after(request, now_ms, "after")})),
            ("GET", "/cursor") => self.cursor(request, now_ms),
            ("GET", "/snapshot") => FakeResponse::json(200, &json!(self.snapshot(now_ms))),
            ("POST", "/token") => self.token(now_ms),
            ("GET", "/secure/items") => self.secure(request, now_ms),
            _ => FakeResponse::json(404, &json!({"error": "no such path"})),
        }
    }
}

fn name_of(at: i64) -> &'static str {
    const NAMES: [&str; 5] = ["uno", "dos", "tres", "cuatro", "mañana"];
    let at = usize::try_from(at.rem_euclid(5)).unwrap_or(0);
    NAMES.get(at).copied().unwrap_or_default()
}

fn number(request: &FakeRequest, name: &str) -> Option<usize> {
    request.query_param(name)?.parse().ok()
}

fn with_page(request: &FakeRequest, page: usize) -> String {
    let kept = request
        .query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("page="));
    let mut pairs: Vec<String> = kept.map(str::to_owned).collect();
    pairs.push(format!("page={page}"));
    format!("{}?{}", request.path, pairs.join("&"))
}

fn time_param(request: &FakeRequest, name: &str) -> Result<Option<i64>, FakeResponse> {
    match request.query_param(name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => match parse_time(&text) {
            Some(ms) => Ok(Some(ms)),
            None => Err(FakeResponse::json(
                400,
                &json!({"error": format!("{name} is not a time: {text}")}),
            )),
        },
    }
}

/// Reads `2026-11-20T16:05:11Z`, with or without milliseconds.
fn parse_time(text: &str) -> Option<i64> {
    let rest = text.strip_suffix('Z')?;
    let (date, time) = rest.split_once('T')?;
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some((days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000 + millis)
}

fn time_text(ms: i64) -> String {
    let (days, rest) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = civil_from_days(days);
    let (seconds, millis) = (rest / 1_000, rest % 1_000);
    let fraction = if millis == 0 {
        String::new()
    } else {
        format!(".{millis:03}")
    };
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{fraction}Z",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::{Items, parse_time, time_text};
    use crate::service::{FakeRequest, Service};
    use serde_json::{Value, json};

    /// 2026-11-20T10:00:00Z
    const START: i64 = 1_795_168_800_000;

    fn ask(service: &mut Items, target: &str, now_ms: i64) -> Value {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = FakeRequest {
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..FakeRequest::default()
        };
        serde_json::from_slice(&service.handle(&request, now_ms).body()).expect("JSON")
    }

    #[test]
    fn times_are_read_and_written() {
        assert_eq!(time_text(START), "2026-11-20T10:00:00Z");
        for ms in [0, START, START + 250, 951_782_400_000] {
            assert_eq!(parse_time(&time_text(ms)), Some(ms));
        }
    }

    #[test]
    fn pages_hold_what_was_made_so_far() {
        let mut service = Items::new(START, START + 3_600_000, 300_000);
        let now = START + 300_000;
        assert_eq!(service.truth(START, now).len(), 4);
        let page = ask(&mut service, "/items?updated_since=2026-11-20T10:00:00Z&size=3", now);
        assert_eq!(page["total"], json!(4));
        assert_eq!(
            page["next"],
            json!("/items?updated_since=2026-11-20T10:00:00Z&size=3&page=2")
        );
        let page = ask(&mut service, "/items?size=3&page=2", now);
        assert_eq!(
            (page["items"][0]["id"].clone(), page["next"].clone()),
            (json!(4), Value::Null)
        );
        let page = ask(
            &mut service,
            "/items?updated_since=2026-11-20T10:00:01Z&order=desc",
            now,
        );
        assert_eq!(page["items"][0]["id"], json!(4));
        assert_eq!(page["total"], json!(2));
    }

    #[test]
    fn cursors_end_with_an_empty_page() {
        let mut service = Items::new(START, START, 1);
        let page = ask(&mut service, "/cursor?after=", START);
        assert_eq!(page["paging"]["cursors"]["after"], json!("2"));
        let page = ask(&mut service, "/cursor?after=2", START);
        assert_eq!(
            (page["data"]["rows"].clone(), page["paging"].clone()),
            (json!([]), json!({}))
        );
    }

    #[test]
    fn snapshots_change() {
        let service = Items::new(START, i64::MAX / 4, 60_000);
        assert_ne!(service.snapshot(START), service.snapshot(START + 3_600_000));
    }
}
