//! The story: what is done, in which order, and why.

use std::time::{Duration, Instant};

use everbeat_platform::{Finish, FinishStyle, NewDelegation};

use super::ledger::{ANSWER, Ended, FOREIGN};
use super::stage::{Stage, Stop};
use super::timeline::{Mark, Who, count};

type Told = Result<(), Stop>;

/// How a delegation comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Completed,
    Failed,
    /// The platform lists it as completed first; its text follows.
    TextLater,
    /// Its result is listed first; the delegation's own row follows.
    RowLater,
    /// As it is, but another workspace delegated it.
    Foreign,
}

/// What the demo is, for someone who sees it for the first time.
pub(crate) fn introduce(stage: &Stage, forever: bool) {
    let (timeline, home) = (stage.timeline, &stage.home);
    let length = if forever { "until Ctrl-C" } else { "about 20 seconds" };
    timeline.text(&timeline.paint().bold(&format!("everbeat demo, {length}")));
    let (beat, cooldown) = (home.interval.as_millis(), home.cooldown.as_millis());
    let lines = [
        format!(
            "The workspace \"{}\" delegates work to a peer; what has finished, the platform",
            home.workspace
        ),
        format!("at {} lists. The workspace's agent says every {beat} ms that it is", stage.url()),
        "alive, fetches each result, puts it into a file, and wakes itself by a message, at most"
            .into(),
        format!(
            "every {cooldown} ms. A reader takes that file away, at any moment. Trouble is made on"
        ),
        "purpose. Processes, sockets, files and signals are real; only the work is not.".into(),
    ];
    timeline.text(&lines.join("\n"));
    if let Some(url) = stage.page_url() {
        timeline.text(&format!("Watch it, and make trouble yourself, at {url}"));
    }
}

/// The twenty seconds.
pub(crate) async fn tell(stage: &mut Stage) -> Told {
    stage.chapter("Results come home").await?;
    stage.start_agent()?;
    stage.until_well().await?;
    stage.pause(ms(400)).await?;
    let three = [How::Completed, How::Completed, How::Failed];
    results(stage, &three, "finishes 2 delegations, and fails at 1")?;
    stage.until_arrived().await?;
    crowd(stage).await?;
    token(stage, ms(1_500)).await?;
    outage(stage, ms(3_000)).await?;
    kill_while_storing(stage, ms(3)).await?;
    kill_while_telling(stage).await
}

/// The last chapter.
pub(crate) async fn end(stage: &mut Stage) -> Told {
    stage.chapter("The end").await?;
    stage.undo_hands();
    // Not every result was told yet: the cooldown. The table says if that
    // does not end well.
    let patience = Instant::now() + Duration::from_secs(20);
    while stage.books.ledger.untold() > 0 && Instant::now() < patience {
        stage.tick().await?;
    }
    stage.finish().await
}

/// Round after round, in an order that chance decides.
pub(crate) async fn go_on(stage: &mut Stage, seed: u64) -> Told {
    let mut chance = Chance(seed);
    loop {
        stage.pause(ms(500 + chance.below(3_000))).await?;
        match chance.below(6) {
            0 => token(stage, ms(200 + chance.below(4_000))).await?,
            1 => outage(stage, ms(500 + chance.below(9_000))).await?,
            2 => kill_while_storing(stage, ms(chance.below(30))).await?,
            3 => kill_while_telling(stage).await?,
            4 => crowd(stage).await?,
            _ => {
                stage.chapter("Nothing but work").await?;
                let many = 1 + usize::try_from(chance.below(18)).unwrap_or_default();
                let words = format!("finishes {}", count(many, "delegation"));
                results(stage, &vec![How::Completed; many], &words)?;
                stage.until_arrived().await?;
            }
        }
    }
}

async fn crowd(stage: &mut Stage) -> Told {
    stage.chapter("Many at once, in pieces, and some that belong to others").await?;
    results(stage, &[How::Completed; 5], "finishes 5 more")?;
    let later = "finishes 2; the platform lists them at once, their text a moment later";
    stage.until_before_poll().await?;
    results(stage, &[How::TextLater; 2], later)?;
    let twice = "finishes 2; the platform lists that twice, the second time later";
    results(stage, &[How::RowLater; 2], twice)?;
    stage.pause(ms(300)).await?;
    results(stage, &[How::Foreign; 2], "finishes 2 that another workspace had delegated")?;
    stage.until_arrived().await?;
    stage.pause(2 * stage.home.interval).await
}

async fn token(stage: &mut Stage, late: Duration) -> Told {
    stage.chapter("The token is replaced").await?;
    stage.rotate_token()?;
    let words = "makes the agent's token invalid; a new one will be there later";
    stage.timeline.say(Who::Demo, Mark::Trouble, words);
    results(stage, &[How::Completed, How::Failed], "finishes 1, and fails at 1")?;
    stage.pause(late).await?;
    stage.write_token()?;
    stage.timeline.say(Who::Demo, Mark::Plain, "writes the new token into the agent's file");
    stage.until_well().await?;
    stage.until_arrived().await
}

async fn outage(stage: &mut Stage, length: Duration) -> Told {
    stage.chapter("The platform goes away").await?;
    let began = Instant::now();
    stage.begin_outage()?;
    let words = format!("takes the platform away for {} s", length.as_secs_f64());
    stage.timeline.say(Who::Demo, Mark::Trouble, &words);
    stage.pause(length / 2).await?;
    let three = [How::Completed, How::Completed, How::Failed];
    results(stage, &three, "finishes 2 and fails at 1: the agent cannot know")?;
    stage.pause(length.saturating_sub(began.elapsed())).await?;
    stage.end_outage()?;
    stage.until_well().await?;
    stage.until_arrived().await
}

/// The agent has fetched results and is about to store them.
async fn kill_while_storing(stage: &mut Stage, later: Duration) -> Told {
    stage.chapter("The agent is killed while it stores results").await?;
    let last_poll = stage.last_poll();
    results(stage, &[How::Completed; 9], "finishes 9")?;
    stage.until("look at the delegations", |stage| stage.last_poll() > last_poll).await?;
    tokio::time::sleep(later).await;
    stage.kill_agent()?;
    let three = [How::Completed, How::Completed, How::Failed];
    results(stage, &three, "finishes 2 and fails at 1: nobody is there")?;
    stage.pause(ms(500)).await?;
    stage.start_agent()?;
    stage.until_well().await?;
    stage.until_arrived().await?;
    stage.until_told().await
}

/// The agent has told itself of results, and does not know yet whether that
/// was heard.
async fn kill_while_telling(stage: &mut Stage) -> Told {
    stage.chapter("The agent is killed before its message is answered").await?;
    stage.pause(stage.home.cooldown).await?;
    let messages = stage.books.ledger.messages;
    let three = [How::Completed, How::Completed, How::Failed];
    results(stage, &three, "finishes 2, and fails at 1")?;
    stage.until("message", |stage| stage.books.ledger.messages > messages).await?;
    stage.kill_agent()?;
    stage.pause(ms(500)).await?;
    stage.start_agent()?;
    stage.until_well().await?;
    stage.until_arrived().await?;
    // Time enough to say it once more, if it would.
    stage.pause(stage.home.cooldown + stage.home.interval).await
}

/// The peer finishes these, at once.
fn results(stage: &mut Stage, all: &[How], words: &str) -> Told {
    for how in all {
        finish(stage, *how).map_err(|error| Stop::Broken(error.to_string()))?;
    }
    stage.timeline.say(Who::Peer, Mark::Plain, words);
    Ok(())
}

fn finish(stage: &mut Stage, how: How) -> Result<(), everbeat_platform::AdminError> {
    let ledger = &mut stage.books.ledger;
    let number = ledger.finished + ledger.foreign_finished + 1;
    // Eight characters: as many as a message names it by.
    let id = format!("d{number:07}");
    let answer = format!("{ANSWER} K-{number}.");
    // Longer than a summary, so that the answer itself is not part of it.
    let text = format!(
        "I went through all of it twice, compared it with what we had last week, and found it to \
         be in good order. {answer}"
    );
    let error = format!("the source for {id} is not available");
    let mut finish = Finish::completed(&text);
    match how {
        How::Completed => ledger.finish(&id, Ended::Completed, &answer),
        How::Failed => {
            finish = Finish::failed(&error);
            ledger.finish(&id, Ended::Failed, &error);
        }
        How::TextLater => {
            finish.style = FinishStyle::Update;
            finish.twin_late_ms = Some(90);
            ledger.finish(&id, Ended::Completed, &answer);
        }
        How::RowLater => {
            finish.twin_late_ms = Some(700);
            ledger.finish(&id, Ended::Completed, &answer);
        }
        How::Foreign => {
            finish = Finish::completed(FOREIGN);
            ledger.finish_foreign(&id);
        }
    }
    let new = NewDelegation {
        workspace: stage.home.workspace.into(),
        target: "peer".into(),
        task: "look into it".into(),
        source: (how == How::Foreign).then(|| "stranger".into()),
        id: Some(id.clone()),
        ..NewDelegation::default()
    };
    let mut platform = stage.served.lock();
    platform.make_delegation(new)?;
    platform.finish_delegation(&id, &finish)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Numbers that look random (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}
