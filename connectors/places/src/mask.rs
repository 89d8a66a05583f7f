//! Which fields are asked for
//!
//! Pure. The price of a request depends on its mask, so it holds what was chosen and nothing else; with ids alone it is
//! the id. Photos and reviews may not be kept at all and are taken out of any choice.

use weir_sdk::api::error::ConnectError;

use crate::place::Kept;

/// Fields that Google's terms keep out of any store.
pub const FORBIDDEN: [&str; 2] = ["photos", "reviews"];

/// Fields of the new API and what the legacy API calls them; none = it has no such field.
const NAMES: [(&str, Option<&str>); 20] = [
    ("id", Some("place_id")),
    ("name", None),
    ("displayName", Some("name")),
    ("formattedAddress", Some("formatted_address")),
    ("shortFormattedAddress", Some("vicinity")),
    ("addressComponents", Some("address_components")),
    ("location", Some("geometry")),
    ("types", Some("types")),
    ("primaryType", None),
    ("primaryTypeDisplayName", None),
    ("businessStatus", Some("business_status")),
    ("rating", Some("rating")),
    ("userRatingCount", Some("user_ratings_total")),
    ("priceLevel", Some("price_level")),
    ("websiteUri", Some("website")),
    ("nationalPhoneNumber", Some("formatted_phone_number")),
    ("internationalPhoneNumber", Some("international_phone_number")),
    ("regularOpeningHours", Some("opening_hours")),
    ("utcOffsetMinutes", Some("utc_offset")),
    ("googleMapsUri", Some("url")),
];
/// Also without a column of its own.
const PLUS_CODE: (&str, &str) = ("plusCode", "plus_code");

/// The fields of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    kept: Kept,
    /// Names of the new API, those that may be kept.
    chosen: Vec<String>,
    /// Names that were taken out.
    pub dropped: Vec<String>,
}

impl Fields {
    /// Takes the fields of the setting: photos and reviews go, the id and the attributions come.
    pub fn choose(listed: &[String], kept: Kept) -> Self {
        let is_forbidden = |field: &String| FORBIDDEN.iter().any(|name| field.split('.').next() == Some(*name));
        let dropped = listed.iter().filter(|field| is_forbidden(field)).cloned().collect();
        let mut chosen = vec!["id".to_owned()];
        if kept == Kept::Content {
            let allowed = listed.iter().filter(|field| !is_forbidden(field) && !field.is_empty());
            for field in allowed.cloned().chain(["attributions".to_owned()]) {
                if !chosen.contains(&field) {
                    chosen.push(field);
                }
            }
        }
        Self { kept, chosen, dropped }
    }

    /// Checks the names: they go into a header.
    ///
    /// # Errors
    /// Config, naming the field.
    pub fn check(&self) -> Result<(), ConnectError> {
        let is_name = |field: &str| field.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
        for field in &self.chosen {
            if !is_name(field) || field.starts_with("places.") {
                return Err(ConnectError::config(format!(
                    "{field} is no field of a place; name fields without prefix: id,displayName,location"
                )));
            }
        }
        Ok(())
    }

    /// Checks that the legacy API has the fields.
    ///
    /// # Errors
    /// Config, naming the field.
    pub fn check_legacy(&self) -> Result<(), ConnectError> {
        match self
            .chosen
            .iter()
            .find(|field| *field != "attributions" && legacy_name(field).is_none())
        {
            Some(field) => Err(ConnectError::config(format!(
                "the legacy API has no field like {field}"
            ))),
            None => Ok(()),
        }
    }

    /// Gives the mask of a search. Only text search has pages.
    pub fn search_mask(&self, has_pages: bool) -> String {
        let mut mask: Vec<String> = self.chosen.iter().map(|field| format!("places.{field}")).collect();
        if has_pages {
            mask.push("nextPageToken".to_owned());
        }
        mask.join(",")
    }

    /// Gives the mask of details.
    pub fn details_mask(&self) -> String {
        self.chosen.join(",")
    }

    /// Gives the field list of legacy details.
    pub fn legacy_details_list(&self) -> String {
        let mut names: Vec<&str> = self.chosen.iter().filter_map(|field| legacy_name(field)).collect();
        if !names.contains(&"business_status") {
            names.push("business_status");
        }
        names.join(",")
    }

    /// Tells whether a field of a legacy answer was chosen.
    pub fn wants_legacy(&self, legacy: &str) -> bool {
        if self.kept == Kept::Ids {
            return false;
        }
        // Searches give the address as vicinity, details in full.
        let is_chosen = |name: &str| self.chosen.iter().any(|field| legacy_name(field) == Some(name));
        is_chosen(legacy) || (legacy == "vicinity" && is_chosen("formatted_address"))
    }
}

fn legacy_name(field: &str) -> Option<&'static str> {
    let first = field.split('.').next().unwrap_or(field);
    if first == PLUS_CODE.0 {
        return Some(PLUS_CODE.1);
    }
    NAMES
        .iter()
        .find(|(name, _)| *name == first)
        .and_then(|(_, legacy)| *legacy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(fields: &str, kept: Kept) -> Fields {
        let listed: Vec<String> = fields.split(',').map(str::to_owned).collect();
        Fields::choose(&listed, kept)
    }

    #[test]
    fn masks_hold_what_was_chosen_and_never_photos_or_reviews() {
        let fields = choose("displayName,photos,rating,reviews.text,id,displayName", Kept::Content);
        assert_eq!(fields.dropped, ["photos", "reviews.text"]);
        assert_eq!(fields.details_mask(), "id,displayName,rating,attributions");
        assert_eq!(
            fields.search_mask(true),
            "places.id,places.displayName,places.rating,places.attributions,nextPageToken"
        );
        let ids = choose("displayName,photos", Kept::Ids);
        assert_eq!(ids.search_mask(false), "places.id");
        assert_eq!(ids.dropped, ["photos"]);
    }

    #[test]
    fn names_are_checked() {
        for bad in ["places.id", "display name", "a\r\nX-Evil: 1", "*"] {
            assert!(choose(bad, Kept::Content).check().is_err(), "{bad}");
        }
        choose("displayName.text,plusCode", Kept::Content)
            .check()
            .expect("valid");
        assert!(choose("primaryType", Kept::Content).check_legacy().is_err());
        choose("displayName,plusCode", Kept::Content)
            .check_legacy()
            .expect("known there too");
    }

    #[test]
    fn legacy_answers_are_cut_to_the_choice() {
        let fields = choose("displayName,formattedAddress,location", Kept::Content);
        assert_eq!(
            fields.legacy_details_list(),
            "place_id,name,formatted_address,geometry,business_status"
        );
        for (field, wanted) in [
            ("name", true),
            ("vicinity", true),
            ("geometry", true),
            ("rating", false),
            ("photos", false),
        ] {
            assert_eq!(fields.wants_legacy(field), wanted, "{field}");
        }
        assert!(!choose("displayName", Kept::Ids).wants_legacy("name"));
    }
}
