//! A binary heap that serialises and parses the bodies of a world into typed
//! structures that borrow: the least that any simulation could do.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;

use everbeat_platform::Request;
use everbeat_sim::plan::OWN;
use everbeat_sim::world::World;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{INTERVAL_S, Lists, cpu_seconds, plan};

/// So long is a beat's body with [`Fill::task`](crate::Fill::task).
const BEAT_BYTES: usize = 391;

/// The bodies of a world, as they went over its wire.
pub(crate) struct Bodies {
    pub(crate) beat: Vec<u8>,
    pub(crate) list: Vec<u8>,
}

/// A beat, as it is written and as it is read.
#[derive(Serialize, Deserialize)]
struct Beat<'a> {
    #[serde(borrow)]
    workspace_id: Cow<'a, str>,
    error_rate: f64,
    #[serde(borrow)]
    sample_error: Cow<'a, str>,
    active_tasks: u32,
    #[serde(borrow)]
    current_task: Cow<'a, str>,
    uptime_seconds: u32,
    #[serde(borrow)]
    agent_card: &'a RawValue,
    is_busy: bool,
    #[serde(borrow)]
    schema_version: Cow<'a, str>,
    observed_generation: u64,
}

/// A row as the platform writes it.
#[derive(Serialize, Deserialize)]
pub(crate) struct WholeRow<'a> {
    id: &'a str,
    r#type: &'a str,
    source_id: &'a str,
    target_id: &'a str,
    summary: &'a str,
    status: &'a str,
    created_at: &'a str,
    delegation_id: &'a str,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    response_preview: &'a str,
}

/// Of a row what an agent reads.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read for the sake of reading")]
struct ReadRow<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    delegation_id: Cow<'a, str>,
    #[serde(borrow, default)]
    source_id: Cow<'a, str>,
    #[serde(borrow, default)]
    target_id: Cow<'a, str>,
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    summary: Cow<'a, str>,
    #[serde(borrow, default)]
    response_preview: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Cow<'a, str>,
    #[serde(borrow, default)]
    direction: Cow<'a, str>,
}

impl Bodies {
    pub(crate) fn of(lists: Lists) -> Self {
        let mut world = World::run(&plan(lists, 1)).expect("a calm world ends");
        let workspace = world.platform.workspace(OWN).expect("the plan's workspace");
        let beat = workspace.beats.last().expect("it was alive").body.clone();
        assert_eq!(beat.len(), BEAT_BYTES, "a beat's length has changed: see Fill");
        let token = world.platform.rotate_token(OWN).expect("the workspace is there");
        let poll = Request::get(&format!("/workspaces/{OWN}/delegations")).with_bearer(&token);
        let reply = world.platform.handle(world.now(), 0, &poll);
        Self { beat, list: reply.answer.body }
    }

    pub(crate) fn rows(&self) -> Vec<WholeRow<'_>> {
        serde_json::from_slice(&self.list).expect("the platform wrote it")
    }
}

/// Seconds a cycle.
pub(crate) fn bare_loop(bodies: &Bodies, days: u64) -> f64 {
    let beat: Beat<'_> = serde_json::from_slice(&bodies.beat).expect("the agent wrote it");
    let list = bodies.rows();
    let cycles = days * 86_400 / INTERVAL_S;
    let interval = Duration::from_secs(INTERVAL_S);
    let mut heap =
        BinaryHeap::from([Reverse((Duration::ZERO, false)), Reverse((interval / 2, true))]);
    let began = cpu_seconds();
    for _ in 0..cycles * 2 {
        let Some(Reverse((at, is_poll))) = heap.pop() else { break };
        if is_poll {
            let text = serde_json::to_vec(black_box(&list)).expect("texts are JSON");
            let read: Vec<ReadRow<'_>> =
                serde_json::from_slice(black_box(&text)).expect("it was written so");
            black_box(read);
        } else {
            let text = serde_json::to_vec(black_box(&beat)).expect("a beat is JSON");
            let read: Beat<'_> =
                serde_json::from_slice(black_box(&text)).expect("it was written so");
            black_box(read);
        }
        heap.push(Reverse((at + interval, is_poll)));
    }
    (cpu_seconds() - began) / cycles as f64
}
