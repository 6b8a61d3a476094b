//! Disks that fill up, folders that break and heal: the beats stay on time
//! (L1) and nothing is lost (S4, L2).

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use everbeat_tests::{Agent, Reader, Scene, Tmpfs, is_root, mode_of, take, wait};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

const INTERVAL: Duration = Duration::from_millis(400);

/// What the agent says once it has tried, in any of its ways.
fn is_held_back(agent: &Agent) -> bool {
    agent.log().contains("it is tried again")
}

/// Results that finish in trouble: too many words for what is left of a
/// journal's last page on a full disk.
fn ids() -> Vec<String> {
    (1..=22).map(|index| format!("d-1{index:03}-{}", "x".repeat(180))).collect()
}

/// Finishes results in trouble, sees that the beats go on and that nothing is
/// in the stream, heals, and sees that everything comes, once.
fn breaks_and_heals(scene: &Scene, agent: &mut Agent, reader: Reader, heal: impl FnOnce()) {
    let beats = scene.beats();
    let ids = ids();
    for id in &ids {
        scene.completed(id);
    }
    wait::for_true("the agent says what is wrong", || is_held_back(agent));
    beats.wait_for(6);
    beats.assert_on_time(INTERVAL);
    assert_eq!(scene.total("messages"), scene.total("delivered"));
    heal();
    for id in &ids {
        scene.wait_for_result(&reader, id);
    }
    beats.assert_on_time(INTERVAL);
    agent.stop();
    let all = ["d-0001"].into_iter().chain(ids.iter().map(String::as_str));
    reader.finish().assert_exactly_once(all);
}

/// An agent with one result that went well.
fn running(scene: &Scene) -> (Agent, Reader) {
    let agent = scene.agent(&[]);
    let reader = Reader::by_hand(&scene.home.results());
    scene.completed("d-0001");
    scene.wait_for_result(&reader, "d-0001");
    (agent, reader)
}

/// Fills the file system of `folder`; what is returned frees it.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("ballast");
    let mut file = File::create(&path).expect("the ballast can be made");
    while file.write_all(&[b'x'; 512]).is_ok() {}
    path
}

/// S4, L1: the results folder is on a disk that fills up.
#[test]
fn s4_l1_the_results_disk_is_full_and_freed() {
    let scene = Scene::new();
    let Some(_mount) = Tmpfs::mount(&scene.home.folder(), 64) else { return };
    let (mut agent, reader) = running(&scene);
    let ballast = fill(&scene.home.folder());
    breaks_and_heals(&scene, &mut agent, reader, || fs::remove_file(ballast).unwrap());
}

/// S4, L1: the state folder is on a disk that fills up (and on another file
/// system than the results).
#[test]
fn s4_l1_the_journal_s_disk_is_full_and_freed() {
    let scene = Scene::new();
    fs::create_dir(scene.home.state()).unwrap();
    let Some(_mount) = Tmpfs::mount(&scene.home.state(), 64) else { return };
    let (mut agent, reader) = running(&scene);
    let ballast = fill(&scene.home.state());
    breaks_and_heals(&scene, &mut agent, reader, || fs::remove_file(ballast).unwrap());
}

/// S4, L1: no file may grow (RLIMIT_FSIZE, as anybody can set it).
#[test]
fn s4_l1_no_file_may_grow_and_then_may() {
    let scene = Scene::new();
    let (mut agent, reader) = running(&scene);
    let pid = Pid::from_raw(i32::try_from(agent.pid()).unwrap());
    let limit = |most| {
        let set = Rlimit { current: most, maximum: None };
        prlimit(pid, Resource::Fsize, set).expect("a child's limit can be set");
    };
    limit(Some(10));
    // Its log is a file, too: what it could not write there it cannot say.
    let beats = scene.beats();
    let ids = ids();
    for id in &ids {
        scene.completed(id);
    }
    beats.wait_for(8);
    beats.assert_on_time(INTERVAL);
    assert_eq!(take(&scene.home.results()), None);
    limit(None);
    for id in &ids {
        scene.wait_for_result(&reader, id);
    }
    agent.stop();
    let all = ["d-0001"].into_iter().chain(ids.iter().map(String::as_str));
    reader.finish().assert_exactly_once(all);
}

/// S4, L1: the results folder becomes read-only.
#[test]
fn s4_l1_the_results_folder_is_read_only_for_a_while() {
    let scene = Scene::new();
    let (mut agent, reader) = running(&scene);
    let folder = scene.home.folder();
    if let Some(lock) = ReadOnly::make(&folder) {
        breaks_and_heals(&scene, &mut agent, reader, || drop(lock));
    }
}

/// S4, L1: the state folder becomes read-only.
#[test]
fn s4_l1_the_state_folder_is_read_only_for_a_while() {
    let scene = Scene::new();
    let (mut agent, reader) = running(&scene);
    let folder = scene.home.state();
    if let Some(lock) = ReadOnly::make(&folder) {
        breaks_and_heals(&scene, &mut agent, reader, || drop(lock));
    }
}

/// L1, and "the same at start": a state folder that cannot be made holds
/// delivery back, loudly, and never the beats.
#[test]
fn l1_a_state_folder_that_cannot_be_made_never_stops_the_beats() {
    let scene = Scene::new();
    fs::write(scene.home.state(), "a file where the folder should be").unwrap();
    scene.completed("d-0001");
    let mut agent = scene.agent(&[]);
    let beats = scene.beats();
    beats.wait_for(6);
    beats.assert_on_time(INTERVAL);
    agent.logs("beats go on");
    let state_dir = scene.home.state().display().to_string();
    assert!(agent.log().contains(&state_dir), "the notice names the path");
    assert!(!scene.home.results().exists());

    fs::remove_file(scene.home.state()).unwrap();
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_result(&reader, "d-0001");
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001"]);
}

/// A folder that is read-only with all its files: by their modes, for root by
/// a mount.
struct ReadOnly {
    folder: PathBuf,
    mount: Option<Tmpfs>,
}

impl ReadOnly {
    fn make(folder: &Path) -> Option<Self> {
        let mount = if is_root() { Some(Tmpfs::read_only(folder)?) } else { None };
        if mount.is_none() {
            set_modes(folder, 0o555, 0o400);
        }
        Some(Self { folder: folder.into(), mount })
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        if self.mount.is_none() {
            set_modes(&self.folder, 0o700, 0o600);
        }
    }
}

/// The modes of a folder and of the files in it, as far as they can be set.
fn set_modes(folder: &Path, folders: u32, files: u32) {
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let _ = set(&entry.path(), files);
    }
    let _ = set(folder, folders);
}

/// S4: the state folder is moved away and comes back: what is in the journal
/// counts again. While it was away a new one was begun, whose memory was
/// empty, so what the platform listed may have come a second time, but not
/// more often, and nothing is lost.
#[test]
fn s4_the_state_folder_is_moved_away_and_back() {
    let scene = Scene::new();
    let (mut agent, reader) = running(&scene);
    let (state, away) = (scene.home.state(), scene.home.dir().join("away"));
    fs::rename(&state, &away).unwrap();
    scene.completed("d-1001");
    scene.wait_for_result(&reader, "d-1001");
    assert_eq!(mode_of(&state), 0o700, "the new one is private");

    fs::rename(&state, scene.home.dir().join("second")).unwrap();
    fs::rename(&away, &state).unwrap();
    scene.completed("d-1002");
    scene.wait_for_result(&reader, "d-1002");
    agent.stop();
    let stream = reader.finish();
    for id in ["d-0001", "d-1001", "d-1002"] {
        let count = stream.count_of(id);
        assert!((1..=2).contains(&count), "{id} stands {count} times");
    }
    assert!(stream.torn.is_empty());
}

/// S4, L4: the state folder is removed while the agent runs: it is made anew,
/// results go on, and from then on everything is remembered again.
#[test]
fn s4_l4_the_state_folder_is_removed() {
    let scene = Scene::new();
    let (mut agent, reader) = running(&scene);
    fs::remove_dir_all(scene.home.state()).unwrap();
    scene.completed("d-1001");
    scene.wait_for_result(&reader, "d-1001");
    agent.stop();
    let mut agent = scene.agent(&[]);
    scene.completed("d-1002");
    scene.wait_for_result(&reader, "d-1002");
    agent.stop();
    let stream = reader.finish();
    assert!((1..=2).contains(&stream.count_of("d-0001")));
    assert_eq!((stream.count_of("d-1001"), stream.count_of("d-1002")), (1, 1));
}

/// S4, L1: something that is no results file stands at the results path. It is
/// never written through, opened or removed; it is named; once it is gone all
/// comes.
#[test]
fn s4_l1_what_is_odd_at_the_results_path_holds_the_results_back() {
    type Put = fn(&Path);
    let kinds: [(&str, Put); 4] = [
        ("is a folder", |path| fs::create_dir(path).unwrap()),
        ("cannot be read (Too many levels of symbolic links", |path| {
            fs::write(path.with_extension("target"), "precious").unwrap();
            symlink(path.with_extension("target"), path).unwrap();
        }),
        ("cannot be read (Too many levels of symbolic links", |path| {
            symlink("/nowhere/at/all", path).unwrap()
        }),
        ("is not a regular file", |path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
    ];
    let scene = Scene::new();
    let reader = Reader::by_hand(&scene.home.results());
    let path = scene.home.results();
    for (index, (what, put)) in kinds.into_iter().enumerate() {
        let id = format!("d-{index:04}");
        // A new one each time: the same notice is not given twice in a row.
        let mut agent = scene.agent(&[]);
        put(&path);
        let beats = scene.beats();
        scene.completed(&id);
        let words = format!("{} {what}", path.display());
        let said = || agent.log().matches(&words).count();
        wait::for_least(&words, 1 + usize::from(index == 2), said);
        beats.wait_for(3);
        beats.assert_on_time(INTERVAL);
        // Still the same thing.
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        assert!(!kind.is_file(), "{what} was replaced");
        if index == 1 {
            let target = fs::read_to_string(path.with_extension("target")).unwrap();
            assert_eq!(target, "precious", "a link was followed");
        }
        let removed = if kind.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
        removed.unwrap();
        scene.wait_for_result(&reader, &id);
        agent.stop();
    }
    reader.finish().assert_exactly_once(["d-0000", "d-0001", "d-0002", "d-0003"]);
}

/// S4 after a container was made anew: the results folder was emptied, the
/// journal was not. What nobody took comes again; what was taken does not.
#[test]
fn s4_the_results_folder_is_wiped() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let reader = Reader::by_hand(&scene.home.results());
    scene.completed("d-0001");
    scene.wait_for_result(&reader, "d-0001");
    scene.completed("d-0002");
    wait::for_true("the second lies there", || scene.home.results().exists());
    agent.logs("batch 2");
    for entry in fs::read_dir(scene.home.folder()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    scene.completed("d-0003");
    scene.wait_for_result(&reader, "d-0002");
    scene.wait_for_result(&reader, "d-0003");
    agent.logs("was emptied");

    // The same with the agent away.
    scene.completed("d-0004");
    wait::for_true("the fourth lies there", || scene.home.results().exists());
    agent.logs("batch 4");
    agent.stop();
    for entry in fs::read_dir(scene.home.folder()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let mut agent = scene.agent(&[]);
    scene.wait_for_result(&reader, "d-0004");
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001", "d-0002", "d-0003", "d-0004"]);
}

/// S4: a results folder with a result that nobody took is away for a while: it
/// is no folder that was emptied, and what lies in it comes once.
#[test]
fn s4_what_lies_in_a_folder_that_is_away_comes_once() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let reader = Reader::by_hand(&scene.home.results());
    scene.completed("d-0001");
    wait::for_true("the first lies there", || scene.home.results().exists());
    agent.logs("batch 1");
    let (folder, away) = (scene.home.folder(), scene.home.dir().join("away"));
    fs::rename(&folder, &away).unwrap();
    scene.completed("d-0002");
    wait::for_true("the agent says what is wrong", || is_held_back(&agent));
    // Meanwhile the store is opened anew, in vain.
    scene.beats().wait_for(6);
    fs::rename(&away, &folder).unwrap();
    scene.wait_for_result(&reader, "d-0001");
    scene.wait_for_result(&reader, "d-0002");
    // By then the list that would bring the first again has come.
    scene.completed("d-0003");
    scene.wait_for_result(&reader, "d-0003");
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001", "d-0002", "d-0003"]);
}

/// S4, L1: the results folder itself is missing for a while.
#[test]
fn s4_l1_the_results_folder_is_missing_for_a_while() {
    let scene = Scene::new();
    let (mut agent, reader) = running(&scene);
    let (folder, away) = (scene.home.folder(), scene.home.dir().join("away"));
    fs::rename(&folder, &away).unwrap();
    breaks_and_heals(&scene, &mut agent, reader, || fs::rename(&away, &folder).unwrap());
}
