//! `everbeat demo`: the whole of it on one machine, in about twenty seconds.
//!
//! A platform is served on a real socket, an agent runs as a real process, a
//! reader takes real files; things are broken on purpose, everything is
//! counted, and what was promised is held against it.

mod child;
mod ledger;
mod pulse;
mod reader;
mod stage;
mod story;
mod table;
mod timeline;

use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use self::child::Home;
use self::stage::{Stage, Stop};
use self::timeline::count;
use super::signals::Signals;
use super::{Exit, runtime};

const WORKSPACE: &str = "writer";
const INTERVAL: Duration = Duration::from_millis(600);
const COOLDOWN: Duration = Duration::from_millis(1_500);

const EXIT_CODES: &str = "\
Exit codes:
  0  every result stands exactly once in the stream, and every promise was kept
  1  anything else, a second signal included
  2  wrong usage";

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct DemoArgs {
    /// Goes on with new results and new trouble until Ctrl-C, and serves a live
    /// page on which you can make some yourself
    #[arg(long)]
    forever: bool,
    /// Keeps the folder with all files and the agent's log, and says where
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(args: &DemoArgs, signals: Signals) -> Exit {
    let started_at = Instant::now();
    let folder = match Folder::create(args.keep) {
        Ok(folder) => folder,
        Err(error) => return cannot_start(&error),
    };
    let home = Home {
        dir: folder.path.clone(),
        workspace: WORKSPACE,
        interval: INTERVAL,
        cooldown: COOLDOWN,
    };
    let ran = runtime().and_then(|runtime| {
        let ran = runtime.block_on(async {
            let seed = RandomState::new().build_hasher().finish();
            let stage = Stage::set(home, seed, started_at, signals, args.forever).await?;
            Ok(play(stage, args.forever, seed).await)
        });
        runtime.shutdown_background();
        ran
    });
    match ran {
        Ok(all_kept) => {
            folder.close(!all_kept);
            if all_kept { Exit::Done } else { Exit::Failed }
        }
        Err(error) => cannot_start(&error),
    }
}

fn cannot_start(error: &io::Error) -> Exit {
    eprintln!("everbeat: the demo cannot start: {error}");
    Exit::Failed
}

/// Tells the story, and says whether every promise was kept.
async fn play(mut stage: Stage, forever: bool, seed: u64) -> bool {
    story::introduce(&stage, forever);
    let mut told = story::tell(&mut stage).await;
    if forever && told.is_ok() {
        told = story::go_on(&mut stage, seed).await;
    }
    if let Err(Stop::Asked) = told {
        stage.timeline.chapter("Ctrl-C: what is under way is finished first (once more: at once)");
        told = stage.wind_down().await;
    }
    if told.is_ok() {
        told = story::end(&mut stage).await;
    }
    if let Err(Stop::Asked) = told {
        told = stage.wind_down().await.and(stage.finish().await);
    }
    if let Err(Stop::Broken(why)) = told {
        stage.books.ending.broken_off = Some(why);
    }
    conclude(&stage, forever)
}

fn conclude(stage: &Stage, forever: bool) -> bool {
    let (books, timeline, paint) = (&stage.books, stage.timeline, stage.timeline.paint());
    timeline.text("");
    timeline.text(books.table(paint).trim_end());
    let all_kept = books.all_kept();
    let verdict = if all_kept {
        let ledger = &books.ledger;
        paint.good(&format!(
            "Every promise was kept: {} of {}, each exactly once.",
            ledger.arrived(),
            count(ledger.finished, "result"),
        ))
    } else {
        let broken = books.rows().iter().filter(|row| !row.kept).count();
        paint.bad(&format!("Broken: {}, see ✗ above.", count(broken, "promise")))
    };
    timeline.text(&format!("\n{verdict}"));
    if stage.was_asked && !forever {
        timeline
            .text("It was stopped before the story was told: what did not happen is not judged.");
    }
    all_kept
}

/// Where everything lies; gone in the end.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// A new one, for nobody else: what another demo left behind stays.
    fn create(keep: bool) -> io::Result<Self> {
        let base = std::env::temp_dir();
        let mut number = 0_u32;
        loop {
            let path = base.join(format!("everbeat-demo-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path, keep }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 99 => {
                    number += 1;
                }
                Err(error) => return Err(io::Error::other(format!("{}: {error}", path.display()))),
            }
        }
    }

    /// What went wrong can be looked into.
    fn close(mut self, went_wrong: bool) {
        self.keep |= went_wrong;
        if self.keep {
            super::print(&format!("All files are kept in {}\n", self.path.display()));
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
