//! Any HTTP service as a source or a sink
//!
//! Settings say how to authenticate, page, select and resume; nothing here knows a particular service.
