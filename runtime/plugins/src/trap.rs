//! From an engine error to a task's message and trace
//!
//! A trap ends an instance for good. Its message names the limit that was broken or the last line of the guest's panic;
//! its trace holds the wasm frames and the last lines of standard error.

use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::error::{Fault, GuestError, LimitExceeded};
use crate::limits::MAX_WASM_STACK_BYTES;

/// Class name of a trap in traces: there is no Java class that it stands for.
const TRAP_CLASS: &str = "weir.plugin.Trap";

/// Describes why a call ended the instance.
pub(crate) fn guest_error(error: &wasmtime::Error, stderr: &[String], lift_limit_bytes: usize) -> GuestError {
    let fault = match error.downcast_ref::<LimitExceeded>() {
        Some(LimitExceeded::StopDeadline) => Fault::StopDeadline,
        Some(LimitExceeded::Memory(_) | LimitExceeded::Table(_) | LimitExceeded::Cpu(_)) | None => Fault::Trapped,
    };
    let mut failure = GuestError::fatal(fault, message(error, stderr, lift_limit_bytes));
    failure.class_name = Some(TRAP_CLASS.to_owned());
    failure.trace = Some(trace(error, stderr));
    failure
}

fn message(error: &wasmtime::Error, stderr: &[String], lift_limit_bytes: usize) -> String {
    if let Some(limit) = error.downcast_ref::<LimitExceeded>() {
        return limit.to_string();
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return format!("plugin called exit({})", exit.0);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            format!("stack limit of {MAX_WASM_STACK_BYTES} bytes exceeded")
        }
        Some(Trap::CannotEnterComponent) => {
            "plugin instance cannot be entered again after an earlier failure".to_owned()
        }
        Some(trap) => match panic_line(stderr) {
            Some(panic) => format!("{trap}: {panic}"),
            None => trap.to_string(),
        },
        None => {
            let text = error.root_cause().to_string();
            // The engine has no type for this one.
            if text.contains("hostcalls has been exhausted") {
                format!("limit of {lift_limit_bytes} bytes handed over in one call exceeded")
            } else {
                text
            }
        }
    }
}

/// The text of a Rust panic: the line after "panicked at", or the last line there is.
fn panic_line(stderr: &[String]) -> Option<&str> {
    let after_panic = stderr
        .iter()
        .rposition(|line| line.contains("panicked at"))
        .and_then(|at| stderr.get(at + 1));
    let line = after_panic.or_else(|| stderr.iter().rev().find(|line| !line.is_empty()))?;
    Some(line.as_str())
}

fn trace(error: &wasmtime::Error, stderr: &[String]) -> String {
    let mut text = String::new();
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        for frame in backtrace.frames() {
            let module = frame.module().name().unwrap_or("?");
            let function = frame.func_name().map_or_else(
                || format!("<wasm function {}>", frame.func_index()),
                // Without the hash, which says nothing to a reader.
                |name| format!("{:#}", rustc_demangle::demangle(name)),
            );
            text.push_str(&format!("\tat {module}!{function}\n"));
        }
    }
    if !stderr.is_empty() {
        text.push_str("standard error of the plugin:\n");
        for line in stderr.iter().filter(|line| !line.is_empty()) {
            text.push_str(&format!("\t{line}\n"));
        }
    }
    text
}
