//! Notices as log lines: what happened, to which file or address, and what
//! to do about it.

use std::path::PathBuf;
use std::time::Duration;

use everbeat_core::{Lane, Notice, Severity};

/// What a line can point at.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) workspace_id: String,
    pub(crate) platform_url: String,
    pub(crate) token_file: PathBuf,
    pub(crate) state_dir: PathBuf,
    pub(crate) results_file: PathBuf,
}

/// Writes one notice to the log, with the workspace and the notice's name as
/// fields of their own.
pub(crate) fn tell(places: &Places, notice: &Notice, line: &str) {
    let workspace = places.workspace_id.as_str();
    let value = serde_json::to_value(notice).unwrap_or_default();
    let name = value.get("type").and_then(|name| name.as_str()).unwrap_or("unknown");
    match notice.severity() {
        Severity::Debug => tracing::debug!(workspace, notice = name, "{line}"),
        Severity::Info => tracing::info!(workspace, notice = name, "{line}"),
        Severity::Warning => tracing::warn!(workspace, notice = name, "{line}"),
        Severity::Error => tracing::error!(workspace, notice = name, "{line}"),
    }
}

/// What a person reads.
pub(crate) fn line(places: &Places, notice: &Notice) -> String {
    let Places { platform_url, .. } = places;
    let token_file = places.token_file.display();
    let state_dir = places.state_dir.display();
    let results_file = places.results_file.display();
    match notice {
        Notice::OutageStarted { lane, cause } => {
            format!("{} fails: {cause}; {}", what(*lane), then(*lane, places))
        }
        Notice::OutageContinues { lane, cause, lasted, failures } => format!(
            "{} has failed for {}, {failures} times in a row: {cause}; {}",
            what(*lane),
            human(*lasted),
            advice(*lane, places)
        ),
        Notice::OutageEnded { lane, lasted, failures } => {
            format!(
                "{} works again after {} and {}",
                what(*lane),
                human(*lasted),
                count(*failures, "failure")
            )
        }
        Notice::TokenRefused { present: true } => format!(
            "the platform refuses the token in {token_file}; it is read again at each beat: put a \
             valid one there, or see whether the workspace still exists at {platform_url}"
        ),
        Notice::TokenRefused { present: false } => format!(
            "the platform asks for a token and {token_file} holds none; it is read again at each \
             beat: put the workspace's token there"
        ),
        Notice::TokenChanged => "a new token is in use".into(),
        Notice::Registered { token_issued: true } => {
            format!("registered with {platform_url}; a token was issued, it goes to {token_file}")
        }
        Notice::Registered { token_issued: false } => format!("registered with {platform_url}"),
        Notice::RegistrationNeeded => "the platform may not know this workspace any more, and it \
            cannot be registered: set agent_url and agent_card, or restart the workspace from \
            the platform"
            .into(),
        Notice::Resumed { gap } => format!(
            "the machine slept or was starved for {}; the missed beats become one",
            human(*gap)
        ),
        Notice::ClientRebuilt { failures } => {
            format!("{} in a row: connections are made anew", count(*failures, "failure"))
        }
        Notice::BadAnswer { lane, problem } => format!(
            "{}: the answer is not what the endpoint gives ({problem}); is {platform_url} the \
             platform, or something before it?",
            what(*lane)
        ),
        Notice::MalformedRows { rows } => {
            let rows = count(*rows, "row");
            format!("{rows} of the delegations' list cannot be used and are left out")
        }
        Notice::ForeignRows { rows } => format!(
            "left out, since another workspace is named as the source: {}",
            count(*rows, "finished delegation")
        ),
        Notice::WindowSaturated { rows } => format!(
            "all {rows} rows of the delegations' list are new: some may have been missed; asking \
             again sooner"
        ),
        Notice::ListTooLong { rows } => {
            format!("the delegations' list has {rows} rows; only the first are looked at")
        }
        Notice::DiscoveredFull => format!(
            "no room for more results until the disk takes some: look at {state_dir} and \
             {results_file}"
        ),
        Notice::AwaitedOverflow => {
            "too many awaited delegations: the oldest is forgotten for the newest".into()
        }
        Notice::TasksOverflow => "too many tasks at once: a report was ignored".into(),
        Notice::TaskExpired { id } => format!(
            "task {id} ended by itself: nobody renewed it in its time; has the program that \
             began it ended?"
        ),
        Notice::ResultsPlaced { batch, results: 0, .. } => {
            format!("batch {batch}, held back until now, is in {results_file}")
        }
        Notice::ResultsPlaced { batch, results, merged } => {
            let untaken = if *merged { ", before older ones that nobody took yet" } else { "" };
            format!("batch {batch}: {} in {results_file}{untaken}", count(*results, "result"))
        }
        Notice::ResultsHeld { batch, reason } => format!(
            "batch {batch} is safe but cannot be put at {results_file}: {reason}; it is tried \
             again"
        ),
        Notice::BacklogSettled { results } => {
            let results = count(*results, "delegation");
            format!("{results} finished before the first start: settled silently")
        }
        Notice::StoreOpened { remembered, waiting } => format!(
            "the journal in {state_dir} is open: {} remembered, {waiting} not announced yet",
            count(*remembered, "result")
        ),
        Notice::FileTrouble { operation, path, reason } => format!(
            "cannot {operation} {path}: {reason}; it is tried again, beats go on: make room or \
             set the folder right"
        ),
        Notice::JournalTorn { bytes } => {
            format!("the journal in {state_dir} ended in a torn line: {bytes} bytes cut")
        }
        Notice::JournalCorrupt { set_aside, kept, lost } => format!(
            "the journal was damaged and lies now at {set_aside}: {kept} records kept, {lost} \
             lines lost; what they knew may be told twice"
        ),
        Notice::FolderEmptied => format!(
            "the folder of {results_file} was emptied: results that nobody took are fetched again"
        ),
        Notice::StrayFile { path, done } => format!("{path} should not be there: {done}"),
        Notice::Announced { message_id, results } => {
            format!("the agent was told of {} (message {message_id})", count(*results, "result"))
        }
        Notice::AnnouncementRefused { message_id, cause } => {
            format!("message {message_id} was refused: {cause}; its results wait for the next")
        }
        Notice::AnnouncementUnanswered { message_id } => format!(
            "message {message_id} was sent and not answered, as in a long turn: waiting for the \
             reader to take {results_file}"
        ),
        Notice::AnnouncedByReader { message_id } => {
            format!("the reader took what message {message_id} named")
        }
        Notice::AnnouncedAgain { message_id } => {
            format!("{results_file} still lies there: message {message_id} goes out again")
        }
        Notice::BudgetExhausted => "this hour's messages to the agent are used up \
            (self_messages_per_hour_max): results wait in the results file"
            .into(),
        Notice::Notified { results } => {
            format!("the user was told of {}", count(*results, "result"))
        }
        Notice::NotifyFailed { cause } => {
            format!("the user could not be told: {cause}; it is not tried again")
        }
        Notice::LateCompletion => "an answer came after its deadline and changes nothing".into(),
        Notice::EffectPanicked { lane } => format!(
            "a fault in this program: {} panicked; it is tried again. Please report it with the \
             lines above",
            what(*lane)
        ),
        Notice::NoticesDropped { dropped } => format!("notices that were dropped: {dropped}"),
        Notice::Stopped => "stopped".into(),
    }
}

const fn what(lane: Lane) -> &'static str {
    match lane {
        Lane::Alive => "the heartbeat",
        Lane::Delegations => "asking for delegations",
        Lane::Announce => "telling the agent",
        Lane::Notify => "telling the user",
        Lane::Register => "registering",
        Lane::Store => "storing results",
    }
}

/// What happens next.
fn then(lane: Lane, places: &Places) -> String {
    match lane {
        Lane::Alive | Lane::Delegations | Lane::Announce | Lane::Register => {
            format!("trying again at {}", places.platform_url)
        }
        Lane::Notify => "it is not tried again".into(),
        Lane::Store => "beats go on, results wait and are tried again".into(),
    }
}

/// What a person can do about what does not end.
fn advice(lane: Lane, places: &Places) -> String {
    let Places { platform_url, .. } = places;
    match lane {
        Lane::Alive => format!(
            "the platform takes the workspace for dead after 3 minutes: is {platform_url} up and \
             reachable from here, and the token in {} valid?",
            places.token_file.display()
        ),
        Lane::Delegations => format!("results are not seen meanwhile; look at {platform_url}"),
        Lane::Announce => "results are stored and wait; look at the workspace's agent".into(),
        Lane::Notify => "results are not affected".into(),
        Lane::Register => format!("look at agent_url, agent_card and {platform_url}"),
        Lane::Store => format!(
            "nothing is lost while the platform lists it: make room or set right {} and {}",
            places.state_dir.display(),
            places.results_file.display()
        ),
    }
}

/// `1 result`, `2 results`.
fn count(number: u32, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// `1d 2h`, `3h 4min`, `5min 6s`, `7s`, `80ms`.
pub(crate) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{large}{large_unit}")
        } else {
            format!("{large}{large_unit} {small}{small_unit}")
        }
    };
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_words() {
        let human = |seconds| human(Duration::from_secs(seconds));
        let shown = [7, 60, 125, 3_600, 7_260, 90_000].map(human);
        assert_eq!(shown, ["7s", "1min", "2min 5s", "1h", "2h 1min", "1d 1h"]);
    }

    #[test]
    fn an_outage_says_where_and_what_to_do() {
        let places = Places {
            workspace_id: "ws-1".into(),
            platform_url: "http://platform:8080".into(),
            token_file: "/configs/.auth_token".into(),
            state_dir: "/configs/everbeat".into(),
            results_file: "/tmp/results.jsonl".into(),
        };
        let notice = Notice::OutageContinues {
            lane: Lane::Alive,
            cause: "connection refused".into(),
            lasted: Duration::from_secs(300),
            failures: 12,
        };
        assert_eq!(
            line(&places, &notice),
            "the heartbeat has failed for 5min, 12 times in a row: connection refused; the \
             platform takes the workspace for dead after 3 minutes: is http://platform:8080 up \
             and reachable from here, and the token in /configs/.auth_token valid?"
        );
    }
}
