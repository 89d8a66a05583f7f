//! The kinds of differences between JSON Schemas
//!
//! One row a kind: its name in messages, whether an update may hold it, and which sentence speaks of it.

use Sentence::{
    AddedNotCovered, AddedToOpen, Fewer, Less, More, MoreElements, NotPresent, RemovedFromClosed, RemovedNotCovered,
    RequiredAdded, TypeDiffers, ValueDiffers,
};
use Verdict::{Compatible, Incompatible, Lenient};

/// Whether an update may hold a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Compatible,
    /// Under the policy LENIENT only.
    Lenient,
    Incompatible,
}

/// What is said of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sentence {
    None,
    NotPresent,
    More,
    Less,
    ValueDiffers,
    Fewer,
    MoreElements,
    TypeDiffers,
    AddedToOpen,
    RequiredAdded,
    RemovedFromClosed,
    RemovedNotCovered,
    AddedNotCovered,
}

macro_rules! kinds {
    ($($kind:ident, $name:literal, $verdict:ident, $sentence:ident;)*) => {
        /// The kinds of differences, by the names of the registry's messages.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum DifferenceKind {
            $($kind,)*
        }

        impl DifferenceKind {
            /// Every kind.
            pub const ALL: &'static [DifferenceKind] = &[$(DifferenceKind::$kind,)*];

            /// Returns the name in messages.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(DifferenceKind::$kind => $name,)*
                }
            }

            pub(super) fn verdict(self) -> Verdict {
                match self {
                    $(DifferenceKind::$kind => $verdict,)*
                }
            }

            pub(super) fn sentence(self) -> Sentence {
                use Sentence::None;
                match self {
                    $(DifferenceKind::$kind => $sentence,)*
                }
            }
        }
    };
}

kinds! {
    IdChanged, "ID_CHANGED", Compatible, None;
    DescriptionChanged, "DESCRIPTION_CHANGED", Compatible, None;
    TitleChanged, "TITLE_CHANGED", Compatible, None;
    DefaultChanged, "DEFAULT_CHANGED", Compatible, None;
    SchemaAdded, "SCHEMA_ADDED", Incompatible, None;
    SchemaRemoved, "SCHEMA_REMOVED", Compatible, None;
    TypeExtended, "TYPE_EXTENDED", Compatible, None;
    TypeNarrowed, "TYPE_NARROWED", Incompatible, TypeDiffers;
    TypeChanged, "TYPE_CHANGED", Incompatible, TypeDiffers;
    MaxLengthAdded, "MAX_LENGTH_ADDED", Incompatible, NotPresent;
    MaxLengthRemoved, "MAX_LENGTH_REMOVED", Compatible, None;
    MaxLengthIncreased, "MAX_LENGTH_INCREASED", Compatible, None;
    MaxLengthDecreased, "MAX_LENGTH_DECREASED", Incompatible, Less;
    MinLengthAdded, "MIN_LENGTH_ADDED", Incompatible, NotPresent;
    MinLengthRemoved, "MIN_LENGTH_REMOVED", Compatible, None;
    MinLengthIncreased, "MIN_LENGTH_INCREASED", Incompatible, More;
    MinLengthDecreased, "MIN_LENGTH_DECREASED", Compatible, None;
    PatternAdded, "PATTERN_ADDED", Incompatible, NotPresent;
    PatternRemoved, "PATTERN_REMOVED", Compatible, None;
    PatternChanged, "PATTERN_CHANGED", Incompatible, ValueDiffers;
    MaximumAdded, "MAXIMUM_ADDED", Incompatible, NotPresent;
    MaximumRemoved, "MAXIMUM_REMOVED", Compatible, None;
    MaximumIncreased, "MAXIMUM_INCREASED", Compatible, None;
    MaximumDecreased, "MAXIMUM_DECREASED", Incompatible, Less;
    MinimumAdded, "MINIMUM_ADDED", Incompatible, NotPresent;
    MinimumRemoved, "MINIMUM_REMOVED", Compatible, None;
    MinimumIncreased, "MINIMUM_INCREASED", Incompatible, More;
    MinimumDecreased, "MINIMUM_DECREASED", Compatible, None;
    ExclusiveMaximumAdded, "EXCLUSIVE_MAXIMUM_ADDED", Incompatible, NotPresent;
    ExclusiveMaximumRemoved, "EXCLUSIVE_MAXIMUM_REMOVED", Compatible, None;
    ExclusiveMaximumIncreased, "EXCLUSIVE_MAXIMUM_INCREASED", Compatible, None;
    ExclusiveMaximumDecreased, "EXCLUSIVE_MAXIMUM_DECREASED", Incompatible, Less;
    ExclusiveMinimumAdded, "EXCLUSIVE_MINIMUM_ADDED", Incompatible, NotPresent;
    ExclusiveMinimumRemoved, "EXCLUSIVE_MINIMUM_REMOVED", Compatible, None;
    ExclusiveMinimumIncreased, "EXCLUSIVE_MINIMUM_INCREASED", Incompatible, More;
    ExclusiveMinimumDecreased, "EXCLUSIVE_MINIMUM_DECREASED", Compatible, None;
    MultipleOfAdded, "MULTIPLE_OF_ADDED", Incompatible, NotPresent;
    MultipleOfRemoved, "MULTIPLE_OF_REMOVED", Compatible, None;
    MultipleOfExpanded, "MULTIPLE_OF_EXPANDED", Incompatible, More;
    MultipleOfReduced, "MULTIPLE_OF_REDUCED", Compatible, None;
    MultipleOfChanged, "MULTIPLE_OF_CHANGED", Incompatible, ValueDiffers;
    RequiredAttributeAdded, "REQUIRED_ATTRIBUTE_ADDED", Incompatible, NotPresent;
    RequiredAttributeWithDefaultAdded, "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED", Compatible, None;
    RequiredAttributeRemoved, "REQUIRED_ATTRIBUTE_REMOVED", Compatible, None;
    MaxPropertiesAdded, "MAX_PROPERTIES_ADDED", Incompatible, NotPresent;
    MaxPropertiesRemoved, "MAX_PROPERTIES_REMOVED", Compatible, None;
    MaxPropertiesIncreased, "MAX_PROPERTIES_INCREASED", Compatible, None;
    MaxPropertiesDecreased, "MAX_PROPERTIES_DECREASED", Incompatible, Less;
    MinPropertiesAdded, "MIN_PROPERTIES_ADDED", Incompatible, NotPresent;
    MinPropertiesRemoved, "MIN_PROPERTIES_REMOVED", Compatible, None;
    MinPropertiesIncreased, "MIN_PROPERTIES_INCREASED", Incompatible, More;
    MinPropertiesDecreased, "MIN_PROPERTIES_DECREASED", Compatible, None;
    AdditionalPropertiesAdded, "ADDITIONAL_PROPERTIES_ADDED", Compatible, None;
    AdditionalPropertiesRemoved, "ADDITIONAL_PROPERTIES_REMOVED", Lenient, NotPresent;
    AdditionalPropertiesExtended, "ADDITIONAL_PROPERTIES_EXTENDED", Compatible, None;
    AdditionalPropertiesNarrowed, "ADDITIONAL_PROPERTIES_NARROWED", Lenient, Fewer;
    DependencyArrayAdded, "DEPENDENCY_ARRAY_ADDED", Incompatible, NotPresent;
    DependencyArrayRemoved, "DEPENDENCY_ARRAY_REMOVED", Compatible, None;
    DependencyArrayExtended, "DEPENDENCY_ARRAY_EXTENDED", Incompatible, MoreElements;
    DependencyArrayNarrowed, "DEPENDENCY_ARRAY_NARROWED", Compatible, None;
    DependencyArrayChanged, "DEPENDENCY_ARRAY_CHANGED", Incompatible, ValueDiffers;
    DependencySchemaAdded, "DEPENDENCY_SCHEMA_ADDED", Incompatible, NotPresent;
    DependencySchemaRemoved, "DEPENDENCY_SCHEMA_REMOVED", Compatible, None;
    RequiredPropertyAddedToOpenContentModel, "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", Incompatible, AddedToOpen;
    RequiredPropertyWithDefaultAddedToOpenContentModel, "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL", Lenient, AddedToOpen;
    OptionalPropertyAddedToOpenContentModel, "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", Lenient, AddedToOpen;
    PropertyWithEmptySchemaAddedToOpenContentModel, "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL", Compatible, None;
    RequiredPropertyAddedToUnopenContentModel, "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", Incompatible, RequiredAdded;
    RequiredPropertyWithDefaultAddedToUnopenContentModel, "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL", Compatible, None;
    OptionalPropertyAddedToUnopenContentModel, "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", Compatible, None;
    PropertyRemovedFromOpenContentModel, "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL", Compatible, None;
    PropertyWithFalseRemovedFromClosedContentModel, "PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL", Compatible, None;
    PropertyRemovedFromClosedContentModel, "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", Lenient, RemovedFromClosed;
    PropertyRemovedIsCoveredByPartiallyOpenContentModel, "PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Compatible, None;
    PropertyRemovedNotCoveredByPartiallyOpenContentModel, "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Lenient, RemovedNotCovered;
    PropertyAddedIsCoveredByPartiallyOpenContentModel, "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Compatible, None;
    PropertyAddedNotCoveredByPartiallyOpenContentModel, "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Lenient, AddedNotCovered;
    UnevaluatedPropertiesAdded, "UNEVALUATED_PROPERTIES_ADDED", Compatible, None;
    UnevaluatedPropertiesRemoved, "UNEVALUATED_PROPERTIES_REMOVED", Lenient, NotPresent;
    UnevaluatedPropertiesExtended, "UNEVALUATED_PROPERTIES_EXTENDED", Compatible, None;
    UnevaluatedPropertiesNarrowed, "UNEVALUATED_PROPERTIES_NARROWED", Lenient, Fewer;
    MaxItemsAdded, "MAX_ITEMS_ADDED", Incompatible, NotPresent;
    MaxItemsRemoved, "MAX_ITEMS_REMOVED", Compatible, None;
    MaxItemsIncreased, "MAX_ITEMS_INCREASED", Compatible, None;
    MaxItemsDecreased, "MAX_ITEMS_DECREASED", Incompatible, Less;
    MinItemsAdded, "MIN_ITEMS_ADDED", Incompatible, NotPresent;
    MinItemsRemoved, "MIN_ITEMS_REMOVED", Compatible, None;
    MinItemsIncreased, "MIN_ITEMS_INCREASED", Incompatible, More;
    MinItemsDecreased, "MIN_ITEMS_DECREASED", Compatible, None;
    MaxContainsAdded, "MAX_CONTAINS_ADDED", Incompatible, NotPresent;
    MaxContainsRemoved, "MAX_CONTAINS_REMOVED", Compatible, None;
    MaxContainsIncreased, "MAX_CONTAINS_INCREASED", Compatible, None;
    MaxContainsDecreased, "MAX_CONTAINS_DECREASED", Incompatible, Less;
    MinContainsAdded, "MIN_CONTAINS_ADDED", Incompatible, NotPresent;
    MinContainsRemoved, "MIN_CONTAINS_REMOVED", Compatible, None;
    MinContainsIncreased, "MIN_CONTAINS_INCREASED", Incompatible, More;
    MinContainsDecreased, "MIN_CONTAINS_DECREASED", Compatible, None;
    UniqueItemsAdded, "UNIQUE_ITEMS_ADDED", Incompatible, NotPresent;
    UniqueItemsRemoved, "UNIQUE_ITEMS_REMOVED", Compatible, None;
    AdditionalItemsAdded, "ADDITIONAL_ITEMS_ADDED", Compatible, None;
    AdditionalItemsRemoved, "ADDITIONAL_ITEMS_REMOVED", Incompatible, NotPresent;
    AdditionalItemsExtended, "ADDITIONAL_ITEMS_EXTENDED", Compatible, None;
    AdditionalItemsNarrowed, "ADDITIONAL_ITEMS_NARROWED", Incompatible, Fewer;
    UnevaluatedItemsAdded, "UNEVALUATED_ITEMS_ADDED", Compatible, None;
    UnevaluatedItemsRemoved, "UNEVALUATED_ITEMS_REMOVED", Incompatible, NotPresent;
    UnevaluatedItemsExtended, "UNEVALUATED_ITEMS_EXTENDED", Compatible, None;
    UnevaluatedItemsNarrowed, "UNEVALUATED_ITEMS_NARROWED", Incompatible, Fewer;
    ItemAddedToOpenContentModel, "ITEM_ADDED_TO_OPEN_CONTENT_MODEL", Incompatible, AddedToOpen;
    ItemWithEmptySchemaAddedToOpenContentModel, "ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL", Compatible, None;
    ItemAddedToClosedContentModel, "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL", Compatible, None;
    ItemRemovedFromOpenContentModel, "ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL", Compatible, None;
    ItemWithFalseRemovedFromClosedContentModel, "ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL", Compatible, None;
    ItemRemovedFromClosedContentModel, "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", Incompatible, RemovedFromClosed;
    ItemRemovedIsCoveredByPartiallyOpenContentModel, "ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Compatible, None;
    ItemRemovedNotCoveredByPartiallyOpenContentModel, "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Incompatible, RemovedNotCovered;
    ItemAddedIsCoveredByPartiallyOpenContentModel, "ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Compatible, None;
    ItemAddedNotCoveredByPartiallyOpenContentModel, "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Incompatible, AddedNotCovered;
    EnumArrayExtended, "ENUM_ARRAY_EXTENDED", Compatible, None;
    EnumArrayNarrowed, "ENUM_ARRAY_NARROWED", Incompatible, Fewer;
    EnumArrayChanged, "ENUM_ARRAY_CHANGED", Incompatible, TypeDiffers;
    CombinedTypeExtended, "COMBINED_TYPE_EXTENDED", Compatible, None;
    CombinedTypeChanged, "COMBINED_TYPE_CHANGED", Incompatible, TypeDiffers;
    ProductTypeExtended, "PRODUCT_TYPE_EXTENDED", Incompatible, MoreElements;
    ProductTypeNarrowed, "PRODUCT_TYPE_NARROWED", Compatible, None;
    SumTypeExtended, "SUM_TYPE_EXTENDED", Compatible, MoreElements;
    SumTypeNarrowed, "SUM_TYPE_NARROWED", Incompatible, Fewer;
    CombinedTypeSubschemasChanged, "COMBINED_TYPE_SUBSCHEMAS_CHANGED", Incompatible, TypeDiffers;
    NotTypeExtended, "NOT_TYPE_EXTENDED", Incompatible, MoreElements;
    NotTypeNarrowed, "NOT_TYPE_NARROWED", Compatible, None;
}
