//! The AEMET source against its fake service and scripted answers, on a virtual clock

mod support;

mod errors;
mod records;
mod replay;
mod sharing;
