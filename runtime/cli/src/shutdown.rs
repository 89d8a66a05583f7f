//! Signals: the first asks for a clean stop, the second ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a process that was told twice.
const IMPATIENT: i32 = 130;

/// Cancels the returned token on SIGTERM or SIGINT.
///
/// *Errors*: signal handlers cannot be installed.
pub(crate) fn on_signal(tasks: &mut tokio::task::JoinSet<()>) -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let cancel = token.clone();
    tasks.spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping; a second signal ends the process at once");
        cancel.cancel();
        either(&mut terminate, &mut interrupt).await;
        std::process::exit(IMPATIENT);
    });
    Ok(token)
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
