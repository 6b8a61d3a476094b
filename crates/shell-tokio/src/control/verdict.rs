//! What a person is to make of the status, and to do about it.

use everbeat_core::limits::LIVENESS_TTL;
use everbeat_core::{OutageStatus, Phase, PipelineStatus, WakeStatus};
use serde_json::{Value, json};

use super::{Control, Facts};
use crate::driver::Answer;
use crate::log::human;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Degraded,
    Failing,
}

struct Line {
    level: Level,
    what: String,
    then: String,
}

/// Whether it is well; else, what is wrong, the worst first, and what to do.
pub(crate) fn verdict(facts: &Facts, answer: &Answer) -> Value {
    let lines = lines(facts, answer);
    let level = match lines.first().map_or(Level::Ok, |line| line.level) {
        Level::Ok => "ok",
        Level::Degraded => "degraded",
        Level::Failing => "failing",
    };
    let line = |line: &Line| json!({"what": line.what, "do": line.then});
    json!({"level": level, "lines": lines.iter().map(line).collect::<Vec<_>>()})
}

/// What is wrong, the worst first.
fn lines(facts: &Facts, answer: &Answer) -> Vec<Line> {
    let mut lines: Vec<Line> = [
        stopping(answer),
        beat(facts, answer),
        files(facts, answer),
        polls(facts, answer),
        wake(&answer.status.wake, &answer.status.pipeline),
        registration(answer),
        wedge(answer),
    ]
    .into_iter()
    .flatten()
    .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.level));
    lines
}

fn line(level: Level, what: impl Into<String>, then: impl Into<String>) -> Option<Line> {
    Some(Line { level, what: what.into(), then: then.into() })
}

fn story(outage: &OutageStatus) -> String {
    let OutageStatus { since, failures, cause } = outage;
    format!("for {}, {failures} times in a row: {cause}", human(*since))
}

fn stopping(answer: &Answer) -> Option<Line> {
    match answer.status.phase {
        Phase::Running => None,
        Phase::Stopping | Phase::Stopped => {
            line(Level::Degraded, "the agent is stopping", "wait for its end")
        }
    }
}

fn beat(facts: &Facts, answer: &Answer) -> Option<Line> {
    let beat = &answer.status.beat;
    let age = beat.lane.last_accepted_age;
    let up = answer.now.monotonic.since(facts.started);
    let is_dead = age.unwrap_or(up) > LIVENESS_TTL;
    let level = if is_dead { Level::Failing } else { Level::Degraded };
    let url = &facts.platform_url;
    if beat.token_refused {
        let what = format!("the platform at {url} refuses the token");
        let then = format!("put the workspace's token into {}", facts.token_file.display());
        return line(Level::Failing, what, then);
    }
    if let Some(outage) = &beat.lane.outage {
        let what = format!("beats fail {}", story(outage));
        return line(level, what, format!("see whether {url} is up and reachable from here"));
    }
    let tolerated = facts.interval.saturating_mul(3);
    if age.unwrap_or(up) > tolerated {
        let what = match age {
            Some(age) => format!("no beat was accepted for {}", human(age)),
            None => format!("no beat was accepted yet, {} after the start", human(up)),
        };
        return line(level, what, format!("see whether {url} answers at all"));
    }
    None
}

fn files(facts: &Facts, answer: &Answer) -> Option<Line> {
    let pipeline = &answer.status.pipeline;
    let (state_dir, results_file) = (facts.state_dir.display(), facts.results_file.display());
    if let Some(reason) = &pipeline.held {
        let what = format!("results cannot be put at {results_file}: {reason}");
        return line(Level::Degraded, what, "set right what stands there; nothing is lost");
    }
    let outage = pipeline.outage.as_ref()?;
    let what = format!("the journal fails {}", story(outage));
    let then = format!("make room or set right {state_dir}; results wait, beats go on");
    line(Level::Degraded, what, then)
}

fn polls(facts: &Facts, answer: &Answer) -> Option<Line> {
    let outage = answer.status.polls.outage.as_ref()?;
    let what = format!("asking for delegations fails {}", story(outage));
    let then = format!("results are not seen meanwhile; look at {}", facts.platform_url);
    line(Level::Degraded, what, then)
}

/// With nothing left that the reader has to be told of, neither what failed
/// last nor how many messages there were is of importance.
fn wake(wake: &WakeStatus, pipeline: &PipelineStatus) -> Option<Line> {
    let PipelineStatus { stored, announcing, unanswered, .. } = pipeline;
    if [stored, announcing, unanswered].into_iter().all(|stage| stage.count == 0) {
        return None;
    }
    if wake.sent_last_hour >= wake.per_hour_max as usize {
        let what = "this hour's messages to the agent are used up";
        return line(Level::Degraded, what, "results wait in the results file");
    }
    let outage = wake.outage.as_ref()?;
    let what = format!("telling the agent fails {}", story(outage));
    line(Level::Degraded, what, "look at the workspace's agent; results are stored and wait")
}

fn registration(answer: &Answer) -> Option<Line> {
    let outage = answer.status.registration.as_ref()?;
    let what = format!("registering fails {}", story(outage));
    line(Level::Degraded, what, "look at agent_url, agent_card and the platform")
}

fn wedge(answer: &Answer) -> Option<Line> {
    let reason = answer.status.vitals.wedge.as_ref()?;
    let what = format!("the agent says that it cannot go on: {reason}");
    line(Level::Degraded, what, "look at the agent; a success or `everbeat wedge clear` ends it")
}

/// The same in one line.
pub(crate) fn headline(control: &Control, answer: &Answer) -> String {
    let facts = &control.facts;
    let mut lines = lines(facts, answer);
    let beat = match (lines.is_empty(), answer.status.beat.lane.accepted) {
        (false, _) => lines.swap_remove(0).what,
        (true, 0) => format!("no beat was sent to {} yet", facts.platform_url),
        (true, _) => format!("beats are accepted by {}", facts.platform_url),
    };
    match control.supervised.words() {
        Some(process) => format!("{beat}; {process}"),
        None => beat,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use everbeat_core::StageStatus;

    use super::*;

    #[test]
    fn what_is_in_the_way_of_telling_is_said_while_something_waits() {
        let outage =
            OutageStatus { since: Duration::from_secs(90), failures: 2, cause: "HTTP 502".into() };
        let status = WakeStatus {
            last_accepted_age: None,
            last_message_id: None,
            last_results: StageStatus::default(),
            cooldown: Duration::from_secs(60),
            cooldown_left: Duration::ZERO,
            sent_last_hour: 2,
            per_hour_max: 60,
            accepted: 0,
            in_flight: false,
            outage: Some(outage),
        };
        let nothing = PipelineStatus {
            discovered: StageStatus::default(),
            stored: StageStatus::default(),
            announcing: StageStatus::default(),
            unanswered: StageStatus::default(),
            remembered: 1,
            awaited: 0,
            held: None,
            store_open: true,
            outage: None,
        };
        let used_up = WakeStatus { sent_last_hour: 60, ..status.clone() };
        assert!(wake(&status, &nothing).is_none() && wake(&used_up, &nothing).is_none());
        let one = StageStatus { count: 1, ids: vec!["d1".into()] };
        for waiting in [
            PipelineStatus { stored: one.clone(), ..nothing.clone() },
            PipelineStatus { announcing: one.clone(), ..nothing.clone() },
            PipelineStatus { unanswered: one.clone(), ..nothing.clone() },
        ] {
            let said = wake(&status, &waiting).map(|line| line.what).unwrap_or_default();
            assert!(said.contains("telling the agent fails"), "{said}");
            let said = wake(&used_up, &waiting).map(|line| line.what).unwrap_or_default();
            assert!(said.contains("are used up"), "{said}");
        }
    }
}
