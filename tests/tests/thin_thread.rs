//! The thin thread: the smallest story that needs every part.

use everbeat_tests::{Reader, Scene, wait};

/// One beat (L1), one result stored (L2, S4), one self-message (L2), over
/// real HTTP and real files; and an orderly end (L6).
#[test]
fn one_beat_one_result_one_message() {
    let scene = Scene::new();
    scene.completed("d-0001");
    let mut agent = scene.agent(&[]);
    scene.wait_for_beats(1);

    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_result(&reader, "d-0001");
    wait::for_least("messages", 1, || scene.total("messages"));
    let seen = scene.seen();
    let message = &seen["messages"]["newest"][0];
    assert_eq!(message["caller"], scene.home.workspace());
    let text = message["text"].as_str().unwrap();
    assert!(text.contains("- [completed] Delegation d-0001: "), "{text}");
    assert_eq!(seen["status"], "online");

    agent.stop();
    let stream = reader.finish();
    stream.assert_exactly_once(["d-0001"]);
    assert_eq!(stream.lines[0]["response_preview"], "the text of d-0001");
    assert_eq!(scene.total("messages"), 1);
}
