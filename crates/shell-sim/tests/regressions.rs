//! The shortest plans of faults that sweeps have found: none may come back.
//! What each was stands in its `about`.

use std::path::Path;

use everbeat_sim::promises::watch::Watch;
use everbeat_sim::{saved, verdict};

#[test]
fn no_plan_breaks_a_promise_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let mut plans: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    plans.sort();
    assert!(plans.len() >= 4, "the plans are in {}", folder.display());
    for path in plans {
        let plan = saved::read_plan(&path).unwrap_or_else(|error| panic!("{error}"));
        let judged = verdict::judge(&plan, Watch::of_all()).unwrap_or_else(|why| panic!("{why}"));
        assert!(judged.broken.is_empty(), "{} breaks {:?}", path.display(), judged.broken);
    }
}
