//! Posts made from a seed and the time
//!
//! Time is cut into slots; a slot holds at most one post, and which one depends on the seed and the slot only. Ids are
//! X's: milliseconds since November 2010 above 22 other bits, so they order as the posts do.

use serde_json::{Map, Value, json};

use crate::x::clock::rfc3339;

/// Start of the time in ids.
const ID_EPOCH_MS: i64 = 1_288_834_974_657;
/// Bits below the time.
const ID_BITS: u32 = 22;

const PLACES: [&str; 8] = [
    "el puerto",
    "la sierra",
    "A Coruña",
    "la ría",
    "el faro",
    "Cádiz",
    "la meseta",
    "Logroño",
];
const NEWS: [&str; 8] = [
    "Lluvia fuerte",
    "Niebla cerrada",
    "Viento del norte",
    "Mar en calma",
    "Primer aviso",
    "Nieve débil",
    "Sol ☀️",
    "Granizo",
];
const TIMES: [&str; 4] = ["esta tarde", "desde anoche", "a primera hora", "ahora mismo"];
const LANGS: [&str; 4] = ["es", "es", "gl", "en"];

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Id.
    pub id: u64,
    /// Name after the @.
    pub username: String,
    /// Name shown.
    pub name: String,
    /// Whether it has a badge.
    pub verified: bool,
}

impl Author {
    /// Makes an author.
    pub fn new(id: u64, username: &str, name: &str, verified: bool) -> Self {
        Self {
            id,
            username: username.to_owned(),
            name: name.to_owned(),
            verified,
        }
    }

    /// Writes the user object, with the fields asked for.
    pub fn to_json(&self, fields: &[String]) -> Value {
        let mut user = Map::new();
        user.insert("id".to_owned(), json!(self.id.to_string()));
        user.insert("name".to_owned(), json!(self.name));
        user.insert("username".to_owned(), json!(self.username));
        for field in fields {
            let value = match field.as_str() {
                "verified" => json!(self.verified),
                "created_at" => json!(rfc3339(
                    1_300_000_000_000 + i64::try_from(self.id % 100_000).unwrap_or(0) * 1_000_000
                )),
                "public_metrics" => json!({
                    "followers_count": self.id % 10_000 * 37, "following_count": self.id % 50,
                    "tweet_count": self.id % 10_000 * 3, "listed_count": self.id % 7,
                }),
                _ => continue,
            };
            user.insert(field.clone(), value);
        }
        Value::Object(user)
    }
}

/// What a post is about another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Plain,
    /// Repeats it.
    Repost(u64),
    /// Answers it.
    Reply(u64),
    /// Takes its place: a new id for an edited post.
    Edit(u64),
}

/// A post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Post {
    /// Id.
    pub id: u64,
    /// When it was written.
    pub created_ms: i64,
    /// Place of the author in [`World::authors`].
    pub author: usize,
    /// What it is about another one.
    pub kind: Kind,
}

impl Post {
    /// Gives the language.
    pub fn lang(&self) -> &'static str {
        pick(&LANGS, self.id >> 3)
    }

    /// Gives the text.
    pub fn text(&self) -> String {
        let bits = mix(self.id);
        let prefix = if matches!(self.kind, Kind::Repost(_)) {
            "RT "
        } else {
            ""
        };
        let tag = if bits & 3 == 0 { " #tiempo" } else { "" };
        format!(
            "{prefix}{} {} en {}{tag}",
            pick(&NEWS, bits >> 8),
            pick(&TIMES, bits >> 16),
            pick(&PLACES, bits >> 24)
        )
    }
}

/// Whether names are those of the guides or of the machine-readable description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spelling {
    /// `edit_history_tweet_ids`, `retweet_count`.
    #[default]
    Tweet,
    /// `edit_history_post_ids`, `repost_count`.
    Post,
}

/// All posts that there will ever be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// Where randomness starts.
    pub seed: u64,
    /// Length of a slot.
    pub slot_ms: i64,
    /// How many of a thousand slots hold a post.
    pub per_mille: u64,
    /// No post is older.
    pub first_ms: i64,
    /// Who writes.
    pub authors: Vec<Author>,
}

impl World {
    /// Makes a world in which five authors write about once a minute.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            slot_ms: 30_000,
            per_mille: 500,
            first_ms: 0,
            authors: vec![
                Author::new(410, "faro_norte", "Faro Norte", false),
                Author::new(411, "diario_ejemplo", "Diario Ejemplo", true),
                Author::new(1_500_000_000_000_000_001, "puerto_vivo", "Puerto Vivo", false),
                Author::new(413, "sierra_alta", "Sierra Alta ⛰", false),
                Author::new(414, "ria_abierta", "Ría Abierta", true),
            ],
        }
    }

    /// Gives the posts written from `from_ms` until before `to_ms`, oldest first.
    pub fn posts(&self, from_ms: i64, to_ms: i64) -> Vec<Post> {
        let from_ms = from_ms.max(self.first_ms);
        (from_ms.div_euclid(self.slot_ms)..=to_ms.div_euclid(self.slot_ms))
            .filter_map(|slot| self.post(slot))
            .filter(|post| (from_ms..to_ms).contains(&post.created_ms))
            .collect()
    }

    /// Walks from newest to oldest through what was written from `from_ms` until before `to_ms`.
    pub fn newest_first(&self, from_ms: i64, to_ms: i64) -> impl Iterator<Item = Post> + '_ {
        let last = to_ms.div_euclid(self.slot_ms);
        let from_ms = from_ms.max(self.first_ms);
        let first = from_ms.div_euclid(self.slot_ms);
        (first..=last)
            .rev()
            .filter_map(|slot| self.post(slot))
            .filter(move |post| (from_ms..to_ms).contains(&post.created_ms))
    }

    /// Gives the author of a post.
    pub fn author(&self, post: &Post) -> Option<&Author> {
        self.authors.get(post.author)
    }

    /// Writes the post object, with the fields asked for.
    pub fn to_json(&self, post: &Post, fields: &[String], spelling: Spelling) -> Value {
        let mut object = Map::new();
        object.insert("id".to_owned(), json!(post.id.to_string()));
        object.insert("text".to_owned(), json!(post.text()));
        let history: Vec<String> = match post.kind {
            Kind::Edit(earlier) => vec![earlier.to_string(), post.id.to_string()],
            Kind::Plain | Kind::Repost(_) | Kind::Reply(_) => vec![post.id.to_string()],
        };
        let name = match spelling {
            Spelling::Tweet => "edit_history_tweet_ids",
            Spelling::Post => "edit_history_post_ids",
        };
        object.insert(name.to_owned(), json!(history));
        for field in fields {
            if let Some((name, value)) = self.field(post, field, spelling) {
                object.insert(name.to_owned(), value);
            }
        }
        Value::Object(object)
    }

    fn field(&self, post: &Post, field: &str, spelling: Spelling) -> Option<(&'static str, Value)> {
        let other = match post.kind {
            Kind::Repost(id) => Some((
                if spelling == Spelling::Post {
                    "reposted"
                } else {
                    "retweeted"
                },
                id,
            )),
            Kind::Reply(id) => Some(("replied_to", id)),
            Kind::Plain | Kind::Edit(_) => None,
        };
        Some(match (field, spelling) {
            ("created_at", _) => ("created_at", json!(rfc3339(post.created_ms))),
            ("author_id", _) => ("author_id", json!(self.author(post)?.id.to_string())),
            ("lang", _) => ("lang", json!(post.lang())),
            ("conversation_id", _) => {
                let first = if let Kind::Reply(id) = post.kind { id } else { post.id };
                ("conversation_id", json!(first.to_string()))
            }
            ("in_reply_to_user_id", _) if matches!(post.kind, Kind::Reply(_)) => {
                ("in_reply_to_user_id", json!(self.authors.first()?.id.to_string()))
            }
            ("possibly_sensitive", _) => ("possibly_sensitive", json!(false)),
            ("public_metrics", Spelling::Tweet) => ("public_metrics", metrics(post, "retweet_count")),
            ("public_metrics", Spelling::Post) => ("public_metrics", metrics(post, "repost_count")),
            ("referenced_tweets" | "referenced_posts", spelling) => {
                let (kind, id) = other?;
                let name = if spelling == Spelling::Post {
                    "referenced_posts"
                } else {
                    "referenced_tweets"
                };
                (name, json!([{"type": kind, "id": id.to_string()}]))
            }
            ("entities", _) if post.text().ends_with("#tiempo") => {
                let end = post.text().chars().count();
                (
                    "entities",
                    json!({"hashtags": [{"start": end - 7, "end": end, "tag": "tiempo"}]}),
                )
            }
            _ => return None,
        })
    }

    fn post(&self, slot: i64) -> Option<Post> {
        let mut post = self.plain(slot)?;
        let earlier = self.plain(slot - 1);
        let bits = mix(post.id ^ self.seed);
        if let Some(earlier) = earlier {
            post.kind = match bits % 20 {
                0 => Kind::Edit(earlier.id),
                1..=3 => Kind::Repost(earlier.id),
                4 | 5 => Kind::Reply(earlier.id),
                _ => Kind::Plain,
            };
            if matches!(post.kind, Kind::Edit(_)) {
                post.author = earlier.author;
            }
        }
        Some(post)
    }

    fn plain(&self, slot: i64) -> Option<Post> {
        let bits = mix(self.seed ^ mix(slot.cast_unsigned()));
        if bits % 1000 >= self.per_mille {
            return None;
        }
        let within = mix(bits) % self.slot_ms.unsigned_abs().max(1);
        let created_ms = slot * self.slot_ms + i64::try_from(within).unwrap_or(0);
        let authors = u64::try_from(self.authors.len()).unwrap_or(1).max(1);
        Some(Post {
            id: id_at(created_ms) | (mix(bits ^ 1) & ((1 << ID_BITS) - 1)),
            created_ms,
            author: usize::try_from(mix(bits ^ 2) % authors).unwrap_or(0),
            kind: Kind::Plain,
        })
    }
}

fn metrics(post: &Post, reposts: &str) -> Value {
    let bits = mix(post.id ^ 5);
    json!({
        reposts: bits % 5, "reply_count": bits % 3, "like_count": bits % 40, "quote_count": bits % 2,
        "bookmark_count": 0, "impression_count": bits % 900,
    })
}

/// Gives the least id of a time.
pub fn id_at(ms: i64) -> u64 {
    u64::try_from(ms - ID_EPOCH_MS).unwrap_or(0) << ID_BITS
}

/// Gives the time in an id.
pub fn time_of(id: u64) -> i64 {
    i64::try_from(id >> ID_BITS).unwrap_or(0) + ID_EPOCH_MS
}

fn pick(from: &[&'static str], bits: u64) -> &'static str {
    let count = u64::try_from(from.len()).unwrap_or(1).max(1);
    let at = usize::try_from(bits % count).unwrap_or(0);
    from.get(at).copied().unwrap_or_default()
}

/// Spreads bits (splitmix64's end).
pub fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_depend_on_seed_and_time_only() {
        let world = World::new(7);
        let from = 1_795_190_711_000;
        let day = world.posts(from, from + 86_400_000);
        assert!((1300..1600).contains(&day.len()), "about one a minute: {}", day.len());
        assert!(day.is_sorted_by_key(|post| post.id), "ids order as times do");
        assert_eq!(world.posts(from + 1000, from + 3_600_000), {
            let mut part = day.clone();
            part.retain(|post| (from + 1000..from + 3_600_000).contains(&post.created_ms));
            part
        });
        assert_ne!(World::new(8).posts(from, from + 86_400_000), day);
        let mut backwards: Vec<Post> = world.newest_first(from, from + 86_400_000).collect();
        backwards.reverse();
        assert_eq!(backwards, day);
        assert!(day.iter().all(|post| time_of(post.id) == post.created_ms));
        assert!(day.iter().any(|post| matches!(post.kind, Kind::Edit(_))));
    }
}
