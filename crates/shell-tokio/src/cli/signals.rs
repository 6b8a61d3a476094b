//! SIGTERM and SIGINT: the first asks for the end, the second is the end.
//! SIGHUP asks to read the configuration again. Other ends can ask, too.

use std::io;
use std::process;
use std::sync::mpsc;
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use rustix::process::Signal as Number;

use super::Exit;
use crate::supervise::{Asked, Job, Target};

/// Sent to a process that writes beyond its file size limit; unhandled, it
/// would end this one instead of making the write fail.
#[cfg(target_os = "linux")]
const SIGXFSZ: i32 = 25;

/// Handles signals from the moment it is installed.
#[derive(Debug)]
pub(crate) struct Signals {
    asked: watch::Receiver<Option<Asked>>,
    reload: watch::Receiver<u64>,
    ask: watch::Sender<Option<Asked>>,
    target: Target,
}

impl Signals {
    /// Starts a thread that does nothing else: however stuck the rest of the
    /// process is, a second signal ends it.
    pub(crate) fn install() -> io::Result<Self> {
        let (ask, asked) = watch::channel(None);
        let (ask_reload, reload) = watch::channel(0);
        let asking = ask.clone();
        let target = Target::default();
        let killed = target.clone();
        let (report, installed) = mpsc::channel();
        thread::Builder::new().name("everbeat-signals".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = report.send(Err(error));
                    return;
                }
            };
            runtime.block_on(async {
                match handlers() {
                    Ok(handlers) => {
                        let _ = report.send(Ok(()));
                        serve(handlers, &asking, &ask_reload, &killed).await;
                    }
                    Err(error) => {
                        let _ = report.send(Err(error));
                    }
                }
            });
        })?;
        installed.recv().map_err(io::Error::other)??;
        Ok(Self { asked, reload, ask, target })
    }

    /// To wait for SIGHUPs: it changes with each.
    pub(crate) fn reload(&self) -> watch::Receiver<u64> {
        self.reload.clone()
    }

    /// Makes the end of standard input ask for the end, too: whoever holds the
    /// other side of a pipe takes this process along, however it dies.
    pub(crate) fn also_at_end_of_stdin(&self) -> io::Result<()> {
        let ask = self.ask.clone();
        thread::Builder::new().name("everbeat-stdin".into()).spawn(move || {
            // What is written there means nothing.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            ask.send_replace(Some(Asked::Gone));
        })?;
        Ok(())
    }

    /// Makes the end of another process ask for the end, too.
    pub(crate) fn also_at_end_of(&self, job: Job) -> io::Result<()> {
        let ask = self.ask.clone();
        thread::Builder::new().name("everbeat-job".into()).spawn(move || {
            job.wait();
            tracing::info!("process {} has ended: so does this one", job.pid());
            ask.send_replace(Some(Asked::Gone));
        })?;
        Ok(())
    }

    /// What a second signal kills before it ends this process.
    pub(crate) fn target(&self) -> Target {
        self.target.clone()
    }

    /// Waits for the first.
    pub(crate) async fn asked(&mut self) {
        self.asked_how().await;
    }

    /// The same, and says what it was.
    pub(crate) async fn asked_how(&mut self) -> Asked {
        let asked = self.asked.wait_for(Option::is_some).await;
        // The thread never ends before the process does.
        asked.ok().and_then(|asked| *asked).unwrap_or(Asked::Fault)
    }
}

fn handlers() -> io::Result<[Signal; 3]> {
    #[cfg(target_os = "linux")]
    drop(signal(SignalKind::from_raw(SIGXFSZ))?);
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let [terminate, interrupt, hangup] = kinds.map(signal);
    Ok([terminate?, interrupt?, hangup?])
}

async fn serve(
    [mut terminate, mut interrupt, mut hangup]: [Signal; 3],
    ask: &watch::Sender<Option<Asked>>,
    ask_reload: &watch::Sender<u64>,
    target: &Target,
) {
    loop {
        let how = tokio::select! {
            _ = terminate.recv() => Asked::Terminate,
            _ = interrupt.recv() => Asked::Interrupt,
            _ = hangup.recv() => {
                ask_reload.send_modify(|asked| *asked += 1);
                continue;
            }
        };
        // Whoever began the end in another way is asked for the first time.
        if matches!(ask.send_replace(Some(how)), Some(Asked::Terminate | Asked::Interrupt)) {
            target.signal(Number::KILL);
            process::exit(Exit::Failed as i32);
        }
    }
}
