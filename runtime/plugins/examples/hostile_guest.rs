//! Writes a component that misbehaves: `hostile_guest trap out.wasm`
//!
//! For tests of the whole worker and for trying limits by hand. Names: trap, loop, memory, stack, open, open-path, log,
//! sleep, deaf, lie, huge.

#[path = "../tests/support/mod.rs"]
mod support;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, path] = arguments.as_slice() else {
        eprintln!("usage: hostile_guest NAME OUT.wasm");
        return std::process::ExitCode::FAILURE;
    };
    let Some(guest) = support::hostile(name) else {
        eprintln!("no guest is named {name}");
        return std::process::ExitCode::FAILURE;
    };
    match std::fs::write(path, guest.component()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
