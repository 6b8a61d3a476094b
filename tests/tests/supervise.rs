//! `everbeat run -- COMMAND` and `--exit-with-pid`: real processes, real
//! signals, and what the platform and the control socket see of them.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use everbeat_tests::{Agent, Control, Events, Process, Scene, schema, wait};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

/// Ends the process with what a shell is told to do, and its options before.
fn supervised(scene: &Scene, options: &[&str], script: &str) -> Agent {
    Agent::spawn(&scene.home, command(scene, options, script))
}

fn command(scene: &Scene, options: &[&str], script: &str) -> Command {
    let all = [options, &["--", "/bin/sh", "-c", script]].concat();
    let mut command = Agent::command(&scene.home, &scene.platform.url(), &all);
    command.env("NOTES", notes(scene));
    command
}

/// Where the commands of these tests write what happens to them.
fn notes(scene: &Scene) -> PathBuf {
    scene.home.dir().join("notes")
}

fn noted(scene: &Scene) -> String {
    fs::read_to_string(notes(scene)).unwrap_or_default()
}

fn wait_for_note(scene: &Scene, words: &str) {
    wait::for_true(&format!("{words:?} in the notes"), || noted(scene).contains(words));
}

fn code(agent: &mut Agent) -> Option<i32> {
    agent.ended(wait::PATIENCE).code()
}

/// The body of the last beat that the platform accepted.
fn last_beat(scene: &Scene) -> Value {
    let beats = scene.seen()["beats"]["newest"].take();
    beats.as_array().and_then(|all| all.last()).map_or(Value::Null, |beat| beat["body"].clone())
}

fn pid_of(status: &Value) -> Pid {
    let pid = status["supervised"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    pid.and_then(Pid::from_raw).expect("the status names its process")
}

fn is_gone(pid: Pid) -> bool {
    test_kill_process(pid).is_err()
}

fn fits_the_document(control: &Control, status: &Value) {
    let document = control.get("/v1/openapi.json");
    let schema = &document["components"]["schemas"]["Status"];
    assert_eq!(schema::check(&document, schema, status), Ok(()));
}

const WORK: &str = "echo began >> $NOTES; exec sleep 1000";

#[test]
fn it_ends_with_the_code_of_its_command() {
    let scene = Scene::new();
    assert_eq!(code(&mut supervised(&scene, &[], "exit 0")), Some(0));
    assert_eq!(code(&mut supervised(&scene, &[], "exit 7")), Some(7));
    assert_eq!(code(&mut supervised(&scene, &[], "kill -9 $$")), Some(137));
    let failed = ["--restart", "on-failure"];
    assert_eq!(code(&mut supervised(&scene, &failed, "exit 0")), Some(0));
    for (program, expected) in [("/bin/no-such-thing", 127), ("/dev/null", 126)] {
        let url = scene.platform.url();
        let mut agent = Agent::start(&scene.home, &url, &["--", program]);
        assert_eq!(code(&mut agent), Some(expected), "{program}");
        assert!(agent.log().contains(program), "the log names {program}");
    }
}

/// What it was given and the way to the agent; nothing that it did not have.
#[test]
fn the_command_has_the_same_environment_and_the_control_socket() {
    let scene = Scene::new();
    let mut command = command(&scene, &[], "env > $NOTES");
    command.env("OF_THE_USER", "kept").env("NOTIFY_SOCKET", scene.home.dir().join("nobody"));
    command.env("WATCHDOG_USEC", "1000000").env("MOLECULE_WORKSPACE_TOKEN", "given-anyway");
    let mut agent = Agent::spawn(&scene.home, command);
    assert_eq!(code(&mut agent), Some(0));
    let env = noted(&scene);
    let names: Vec<_> = env.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let mut names: Vec<_> =
        names.into_iter().filter(|name| !matches!(*name, "PWD" | "SHLVL" | "_")).collect();
    names.sort_unstable();
    let given = ["EVERBEAT_CONTROL", "MOLECULE_WORKSPACE_TOKEN", "NOTES", "OF_THE_USER", "PATH"];
    assert_eq!(names, given);
    let control = format!("EVERBEAT_CONTROL={}\n", scene.home.control().display());
    assert!(env.contains(&control), "{env}");
    let token = fs::read_to_string(scene.home.token_file()).expect("the token's file");
    assert!(!env.contains(token.trim()), "the token of the file is nobody else's");
}

/// The platform hears of an end for good, and sees no tasks any more.
#[test]
fn a_last_beat_tells_the_death() {
    let scene = Scene::new();
    let go = scene.home.dir().join("notes.go");
    let made = Command::new("mkfifo").arg(&go).status().expect("mkfifo runs");
    assert!(made.success());
    let mut agent = supervised(&scene, &[], "read line < $NOTES.go; exit 3");
    scene.control().done("PUT", "/v1/tasks/t1", &json!({"title": "reading"}));
    wait::for_true("the platform sees it busy", || last_beat(&scene)["active_tasks"] == 1);
    fs::write(&go, "go\n").expect("the command reads it");
    assert_eq!(code(&mut agent), Some(3));
    let beat = last_beat(&scene);
    assert_eq!(beat["active_tasks"], 0, "{beat}");
    assert_eq!(beat["current_task"], "", "{beat}");
    assert_eq!(beat["runtime_state"], "wedged", "{beat}");
    let words = "the agent's process ended with code 3 and is not started again";
    assert_eq!(beat["sample_error"], words);
    assert_eq!(scene.seen()["status"], "degraded");
}

/// Started again after a wait that doubles; told in the beat, the status and
/// the events; well again once it lives.
#[test]
fn one_that_fails_is_started_again() {
    let scene = Scene::new();
    let script = "echo began >> $NOTES; [ $(wc -l < $NOTES) -ge 4 ] && exec sleep 1000; exit 5";
    let options = ["--restart", "on-failure", "--restart-delay", "300ms"];
    let mut agent = supervised(&scene, &options, script);
    let control = scene.control();
    let mut events = Events::listen(&control, "?kinds=child&after=0", "");
    let mut next = || events.next_that(|event| event.kind == "child").data;
    let mut waits = Vec::new();
    for _ in 0..3 {
        assert_eq!(next()["child"], "started");
        let ended = next();
        assert_eq!((&ended["child"], &ended["exit"]), (&"ended".into(), &"code 5".into()));
        waits.push(ended["again_in_s"].as_f64().expect("a wait"));
    }
    assert_eq!(waits, [0.3, 0.6, 1.2]);
    assert!(next()["pid"].as_u64().is_some());
    let status = control.status();
    let child = &status["supervised"];
    assert_eq!(child["state"], "running", "{child}");
    assert_eq!((child["restarts"].as_u64(), &child["last_exit"]), (Some(3), &"code 5".into()));
    assert!(!is_gone(pid_of(&status)));
    fits_the_document(&control, &status);
    wait::for_true("it is well again", || last_beat(&scene)["runtime_state"].is_null());
    let beats = scene.seen()["beats"]["newest"].take();
    let beats = beats.as_array().cloned().unwrap_or_default();
    let told = beats.iter().filter(|beat| beat["body"]["runtime_state"] == "wedged");
    let words = "the agent's process ended with code 5; it starts again in ";
    for beat in told.clone() {
        let said = beat["body"]["sample_error"].as_str().unwrap_or_default();
        assert!(said.starts_with(words), "{said}");
    }
    assert!(told.count() > 0, "no beat told a death");
    agent.signal(Signal::TERM);
    assert_eq!(code(&mut agent), Some(143));
}

#[test]
fn always_means_after_success_too_and_a_stop_ends_the_waiting() {
    let scene = Scene::new();
    let options = ["--restart", "always", "--restart-delay", "50ms"];
    let mut agent = supervised(&scene, &options, "echo began >> $NOTES");
    wait::for_true("three starts", || noted(&scene).lines().count() >= 3);
    agent.signal(Signal::TERM);
    assert!(matches!(code(&mut agent), Some(0 | 143)));
    let options = ["--restart", "always", "--restart-delay", "1h"];
    let mut agent = supervised(&scene, &options, "exit 9");
    scene.control().wait_for("it waits", |status| status["supervised"]["state"] == "waiting");
    let status = scene.control().status();
    assert_eq!(status["supervised"]["pid"], Value::Null);
    fits_the_document(&scene.control(), &status);
    let wedge = status["vitals"]["wedge"].as_str().unwrap_or_default();
    assert_eq!(wedge, "the agent's process ended with code 9; it starts again in 1h");
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended(Duration::from_secs(6)).code(), Some(9));
}

/// One that does not end by SIGTERM has its time, then it is killed.
#[test]
fn one_that_ignores_the_wish_is_killed_in_the_end() {
    let scene = Scene::new();
    let script =
        "trap 'echo asked >> $NOTES' TERM; echo began >> $NOTES; while :; do sleep 0.1; done";
    let mut agent = supervised(&scene, &["--stop-within", "1s"], script);
    wait_for_note(&scene, "began");
    let pid = pid_of(&scene.control().status());
    agent.signal(Signal::TERM);
    wait_for_note(&scene, "asked");
    let state = scene.control().status()["supervised"]["state"].take();
    assert_eq!(state, "stopping");
    assert_eq!(agent.ended(Duration::from_secs(8)).code(), Some(137));
    assert!(is_gone(pid));
    agent.logs("did not end within 1s: it is killed");
}

/// A second signal waits for nothing, and leaves nothing behind.
#[test]
fn a_second_signal_kills_both_at_once() {
    let scene = Scene::new();
    let script =
        "trap 'echo asked >> $NOTES' TERM; echo began >> $NOTES; while :; do sleep 0.1; done";
    let mut agent = supervised(&scene, &["--stop-within", "1h"], script);
    wait_for_note(&scene, "began");
    let pid = pid_of(&scene.control().status());
    agent.signal(Signal::TERM);
    wait_for_note(&scene, "asked");
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended(Duration::from_secs(4)).code(), Some(1));
    wait::for_true("its process is gone", || is_gone(pid));
}

/// Whatever it is sent reaches the command, but for SIGHUP, which is its own.
#[test]
fn signals_are_passed_on() {
    let scene = Scene::new();
    let script = "for it in USR1 USR2 QUIT WINCH INT HUP; do trap \"echo $it >> $NOTES\" $it; done; \
                  trap 'exit 21' TERM; echo began >> $NOTES; while :; do sleep 0.1; done";
    let mut agent = supervised(&scene, &["--stop-within", "2s"], script);
    wait_for_note(&scene, "began");
    agent.signal(Signal::HUP);
    agent.logs("the configuration was read again");
    let passed = [
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::QUIT, "QUIT"),
        (Signal::WINCH, "WINCH"),
    ];
    for (signal, name) in passed {
        agent.signal(signal);
        wait_for_note(&scene, name);
    }
    // It is asked as this process was, and later by SIGTERM.
    agent.signal(Signal::INT);
    wait_for_note(&scene, "INT");
    assert_eq!(agent.ended(Duration::from_secs(8)).code(), Some(21));
    assert!(!noted(&scene).contains("HUP"));
}

/// Keys of a terminal reach the whole group: the command gets each once, not
/// passed on again.
#[test]
fn a_key_of_the_terminal_comes_once() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("no `script` here to make a terminal");
        return;
    }
    let scene = Scene::new();
    let script = "trap 'echo interrupted >> $NOTES' INT; trap 'exit 12' TERM; \
                  echo began >> $NOTES; while :; do sleep 0.1; done";
    let plain = command(&scene, &["--stop-within", "4s"], script);
    let quoted = |word: &std::ffi::OsStr| {
        format!("'{}'", word.to_str().expect("a word").replace('\'', "'\\''"))
    };
    let words = [plain.get_program()].into_iter().chain(plain.get_args());
    let line = words.map(quoted).collect::<Vec<_>>().join(" ");
    let mut terminal = Command::new("script");
    terminal.args(["-q", "-e", "-c", &format!("exec {line}"), "/dev/null"]).env_clear();
    terminal.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let (keys, hand) = std::io::pipe().expect("a pipe");
    terminal.env("SHELL", "/bin/sh").stdin(keys);
    let mut agent = Agent::spawn(&scene.home, terminal);
    wait_for_note(&scene, "began");
    (&hand).write_all(b"\x03").expect("a key is pressed");
    assert_eq!(agent.ended(Duration::from_secs(12)).code(), Some(12));
    assert_eq!(noted(&scene).matches("interrupted").count(), 1, "{}", noted(&scene));
}

/// An agent that is killed takes its command along.
#[test]
fn the_command_does_not_outlive_it() {
    let scene = Scene::new();
    let mut agent = supervised(&scene, &[], WORK);
    wait_for_note(&scene, "began");
    let pid = pid_of(&scene.control().status());
    agent.kill_nine();
    wait::for_true("its process is gone", || is_gone_or_dead(pid));
}

/// Nobody may have waited for it.
fn is_gone_or_dead(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|it| it.starts_with('Z')))
}

/// How many dead children this process has that nobody waited for.
fn zombies_below(parent: u32) -> usize {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let is_one = |stat: &String| {
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields.next() == Some("Z") && fields.next() == Some(&parent.to_string())
    };
    stats.filter(is_one).count()
}

/// Leaves twenty orphans that note who has them and end, and goes on.
const ORPHANS: &str = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
     (sh -c 'sleep 0.3; read -r it < /proc/$$/stat; set -- $it; echo orphan of $4. >> $NOTES' &); \
     done; echo began >> $NOTES; trap 'exit 11' TERM; while :; do sleep 0.1; done";

/// All were this process's, none is left, and its own child's code is not lost
/// among them.
fn orphans_go(scene: &Scene, parent: u32, known_as: u32) {
    let note = format!("orphan of {known_as}.");
    let count = || noted(scene).matches(&note).count();
    wait::for_true(&format!("twenty times {note:?}"), || count() == 20);
    wait::for_true("none is left", || zombies_below(parent) == 0);
    assert_eq!(scene.control().status()["supervised"]["state"], "running");
    let pid = i32::try_from(parent).ok().and_then(Pid::from_raw).expect("an id");
    kill_process(pid, Signal::TERM).expect("it can be asked");
}

#[test]
fn a_subreaper_takes_orphans_away() {
    let scene = Scene::new();
    let mut agent = supervised(&scene, &["--subreaper"], ORPHANS);
    orphans_go(&scene, agent.pid(), agent.pid());
    assert_eq!(code(&mut agent), Some(11));
}

/// As the first process of a container: in a process namespace of its own,
/// where this machine allows one.
#[test]
fn the_first_process_takes_orphans_away() {
    let unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !works(&unshare) {
        println!("no process namespaces here: the subreaper's test must do");
        return;
    }
    let scene = Scene::new();
    let plain = command(&scene, &[], ORPHANS);
    let mut agent = Agent::spawn(&scene.home, inside(&unshare, &plain));
    let first = wait::until("the first process", || child_of(agent.pid()));
    orphans_go(&scene, first, 1);
    assert_eq!(code(&mut agent), Some(11));
}

/// As the first process without a command, beside the agent: what others in
/// the container leave behind is taken away, too.
#[test]
fn the_first_process_needs_no_command_for_that() {
    let unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !works(&unshare) {
        println!("no process namespaces here");
        return;
    }
    let scene = Scene::new();
    let plain = Agent::command(&scene.home, &scene.platform.url(), &[]);
    let mut agent = Agent::spawn(&scene.home, inside(&unshare, &plain));
    assert_eq!(scene.control().status()["pid"], 1, "it is the first process");
    let first = wait::until("the first process", || child_of(agent.pid()));
    let namespace = format!("--pid=/proc/{first}/ns/pid");
    let orphan = Command::new("nsenter").args([&namespace, "sh", "-c", "(sleep 0.5 &)"]).status();
    assert!(orphan.expect("nsenter runs").success());
    wait::for_true("it has an orphan", || child_of(first).is_some());
    wait::for_true("it is taken away", || child_of(first).is_none());
    let pid = i32::try_from(first).ok().and_then(Pid::from_raw).expect("an id");
    kill_process(pid, Signal::TERM).expect("it can be asked");
    assert_eq!(code(&mut agent), Some(0));
}

fn works(prefix: &[&str; 5]) -> bool {
    let tried = Command::new(prefix[0]).args(&prefix[1..]).arg("true").output();
    tried.is_ok_and(|output| output.status.success())
}

/// The same command behind others.
fn inside(prefix: &[&str; 5], plain: &Command) -> Command {
    let mut inside = Command::new(prefix[0]);
    inside.args(&prefix[1..]).arg(plain.get_program()).args(plain.get_args());
    inside.env_clear().stdin(Stdio::null());
    inside.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    inside
}

fn child_of(parent: u32) -> Option<u32> {
    let listed = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    listed.split_ascii_whitespace().next()?.parse().ok()
}

/// A job that a sidecar stands beside.
struct Job(Child);

impl Job {
    fn start() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().expect("a job"))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_sidecar_ends_with_its_job() {
    let scene = Scene::new();
    let job = Job::start();
    let mut agent = scene.agent(&["--exit-with-pid", &job.0.id().to_string()]);
    scene.wait_for_beats(2);
    assert!(agent.is_running());
    drop(job);
    assert_eq!(agent.ended(Duration::from_secs(6)).code(), Some(0));
    agent.logs("has ended: so does this one");
}

/// The platform of the jobs then asks the sidecar, too: that is a first
/// signal, not the second.
#[test]
fn a_signal_after_the_jobs_end_is_the_first_one() {
    let scene = Scene::new();
    let job = Job::start();
    let mut agent = scene.agent(&["--exit-with-pid", &job.0.id().to_string()]);
    scene.wait_for_beats(1);
    drop(job);
    agent.logs("has ended: so does this one");
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended(Duration::from_secs(6)).code(), Some(0));
}

#[test]
fn a_job_that_is_not_there_is_wrong_usage() {
    let scene = Scene::new();
    for (pid, words) in
        [("2147483647", "there is no such process"), ("-5", "no process to wait for")]
    {
        let mut agent = scene.agent(&["--exit-with-pid", pid]);
        assert_eq!(code(&mut agent), Some(2));
        let log = agent.log();
        assert!(log.contains(pid) && log.contains(words), "{log}");
    }
    let mut both = scene.agent(&["--exit-with-pid", "1", "--", "true"]);
    assert_eq!(code(&mut both), Some(2));
}

/// Without a command nothing is waited for, and a signal that means nothing
/// here does what it always does.
#[test]
fn without_a_command_other_signals_are_not_handled() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    assert_eq!(scene.control().status()["supervised"], Value::Null);
    agent.signal(Signal::USR1);
    let status = Process::ended(&mut agent, wait::PATIENCE);
    assert_eq!(status.signal(), Some(Signal::USR1.as_raw()));
}
