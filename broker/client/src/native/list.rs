//! Topic partition lists, owned and borrowed.

use std::ffi::CString;

use rdkafka_sys as sys;

use crate::error::{ClientError, KafkaError};
use crate::native::errors::owned_text;
use crate::topic_partition::TopicPartition;

/// An offset that means "none" to librdkafka.
pub(crate) const OFFSET_INVALID: i64 = -1001;

/// Owns one `rd_kafka_topic_partition_list_t`.
#[derive(Debug)]
pub(crate) struct List {
    pointer: *mut sys::rd_kafka_topic_partition_list_t,
}

// SAFETY: plain heap data with one owner.
unsafe impl Send for List {}

impl List {
    /// Builds a list; an offset of `None` stays unset.
    pub(crate) fn new<'a>(
        partitions: impl IntoIterator<Item = (&'a TopicPartition, Option<i64>)>,
    ) -> Result<Self, ClientError> {
        // SAFETY: returns a new list that `List` owns.
        let list = Self {
            pointer: unsafe { sys::rd_kafka_topic_partition_list_new(8) },
        };
        for (partition, offset) in partitions {
            list.add(&partition.topic, partition.partition, offset)?;
        }
        Ok(list)
    }

    /// Builds a list of whole topics, for a subscription.
    pub(crate) fn of_topics<'a>(topics: impl IntoIterator<Item = &'a str>) -> Result<Self, ClientError> {
        // SAFETY: returns a new list that `List` owns.
        let list = Self {
            pointer: unsafe { sys::rd_kafka_topic_partition_list_new(8) },
        };
        for topic in topics {
            list.add(topic, -1, None)?;
        }
        Ok(list)
    }

    fn add(&self, topic: &str, partition: i32, offset: Option<i64>) -> Result<(), ClientError> {
        let name = CString::new(topic).map_err(|_| ClientError::config("topics", topic, "contains a NUL byte"))?;
        // SAFETY: the list is live, the name is NUL-terminated and copied; the returned element is live until the next add.
        unsafe {
            let element = sys::rd_kafka_topic_partition_list_add(self.pointer, name.as_ptr(), partition);
            (*element).offset = offset.unwrap_or(OFFSET_INVALID);
        }
        Ok(())
    }

    /// Takes over a list that librdkafka gave away.
    ///
    /// # Safety
    /// `pointer` is a live list that nobody else frees.
    pub(crate) unsafe fn adopt(pointer: *mut sys::rd_kafka_topic_partition_list_t) -> Self {
        Self { pointer }
    }

    pub(crate) fn pointer(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.pointer
    }

    /// Reads the elements with their offsets (`None` where unset).
    pub(crate) fn read(&self) -> Vec<(TopicPartition, Option<i64>)> {
        // SAFETY: the list is live.
        unsafe { read(self.pointer) }
    }

    /// The first error noted on an element.
    pub(crate) fn first_error(&self) -> Option<(TopicPartition, KafkaError)> {
        // SAFETY: the list is live; the code is read as a number because a broker may answer one the binding's enum lacks.
        unsafe {
            elements(self.pointer).iter().find_map(|element| {
                let error = KafkaError::from_code((&raw const element.err).cast::<i32>().read())?;
                Some((TopicPartition::new(owned_text(element.topic), element.partition), error))
            })
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: owned; the call accepts null.
        unsafe {
            if !self.pointer.is_null() {
                sys::rd_kafka_topic_partition_list_destroy(self.pointer);
            }
        }
    }
}

/// Copies a borrowed list.
///
/// # Safety
/// `pointer` is null or a live list.
pub(crate) unsafe fn read(pointer: *const sys::rd_kafka_topic_partition_list_t) -> Vec<(TopicPartition, Option<i64>)> {
    // SAFETY: promised by the caller; topic names are C strings owned by the list.
    unsafe {
        elements(pointer)
            .iter()
            .map(|element| {
                let partition = TopicPartition::new(owned_text(element.topic), element.partition);
                (partition, (element.offset >= 0).then_some(element.offset))
            })
            .collect()
    }
}

unsafe fn elements<'a>(pointer: *const sys::rd_kafka_topic_partition_list_t) -> &'a [sys::rd_kafka_topic_partition_t] {
    if pointer.is_null() {
        return &[];
    }
    // SAFETY: a live list; `cnt` elements are initialised.
    unsafe {
        let list = &*pointer;
        if list.cnt <= 0 {
            return &[];
        }
        std::slice::from_raw_parts(list.elems, usize::try_from(list.cnt).unwrap_or(0))
    }
}
