//! What a configuration may hold, field by field, to the bounds.

use std::time::Duration;

use everbeat_core::{Announce, Config, Notify, Tuning, is_safe_id, limits};
use proptest::prelude::*;
use serde_json::{Value, json};

fn valid() -> Config {
    Config::new("ws-1", "http://platform:8080")
}

/// The field that is refused; empty if none is.
fn refused(change: impl FnOnce(&mut Config)) -> &'static str {
    let mut config = valid();
    change(&mut config);
    config.validate().map_or_else(|error| error.field, |_| "")
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn each_duration_has_its_range_and_dev_timing_lifts_the_lower_bound() {
    type Field = fn(&mut Config) -> &mut Duration;
    let fields: [(&str, Field, u64, u64); 3] = [
        ("interval", |config| &mut config.interval, 5_000, 300_000),
        ("cooldown", |config| &mut config.cooldown, 1_000, 3_600_000),
        ("reannounce_after", |config| &mut config.reannounce_after, 60_000, 3_600_000),
    ];
    for (name, field, least, most) in fields {
        for (dev_timing, least) in [(false, least), (true, 10)] {
            let with = |millis: u64| {
                refused(|config| {
                    config.dev_timing = dev_timing;
                    *field(config) = ms(millis);
                })
            };
            assert_eq!([with(least), with(most)], ["", ""], "{name}");
            assert_eq!([with(least - 1), with(most + 1)], [name, name]);
        }
    }
}

#[test]
fn messages_an_hour_have_an_upper_bound_but_for_tests() {
    let with = |dev_timing, most| {
        refused(|config| {
            (config.dev_timing, config.self_messages_per_hour_max) = (dev_timing, most);
        })
    };
    assert_eq!([with(false, 1), with(false, 3_600), with(true, u32::MAX)], ["", "", ""]);
    let field = "self_messages_per_hour_max";
    assert_eq!([with(false, 0), with(false, 3_601), with(true, 0)], [field, field, field]);
}

#[test]
fn a_workspace_id_is_safe_in_a_path_a_header_and_a_file_s_name() {
    let longest = "a".repeat(128);
    for id in ["a", "7", "A-b_9", "0-", longest.as_str()] {
        assert!(is_safe_id(id), "{id}");
    }
    let too_long = "a".repeat(129);
    for id in ["", "-a", "_a", ".", "..", "a/b", "a.b", "a b", "ä", "aä", too_long.as_str()] {
        assert!(!is_safe_id(id), "{id}");
        assert_eq!(refused(|config| config.workspace_id = id.into()), "workspace_id");
    }
}

#[test]
fn an_org_id_is_visible_ascii() {
    let with = |id: &str| refused(|config| config.org_id = Some(id.into()));
    for id in ["o", "org/1:x~", &"o".repeat(128)] {
        assert_eq!(with(id), "", "{id}");
    }
    for id in ["", "a b", "a\n", "ö", &"o".repeat(129)] {
        assert_eq!(with(id), "org_id", "{id}");
    }
}

#[test]
fn an_address_has_a_scheme_a_host_and_perhaps_port_and_path() {
    let longest = format!("http://{}", "h".repeat(253));
    for url in [
        "http://platform",
        "HTTPS://platform.example:443",
        "https://10.0.0.1:65535/a/b.c/",
        "http://my-host_1:1",
        "http://[::1]",
        "http://[fe80::1]:8080/x",
        "http://[::ffff:10.0.0.1]:1",
        "http://h///",
        longest.as_str(),
    ] {
        assert_eq!(refused(|config| config.platform_url = url.into()), "", "{url}");
        assert_eq!(refused(|config| config.agent_url = Some(url.into())), "", "{url}");
    }
}

#[test]
fn an_address_that_could_mislead_is_refused() {
    let too_long = format!("http://{}", "h".repeat(254));
    for url in [
        "",
        "platform",
        "ftp://platform",
        "http://",
        "http:///path",
        "http://user:secret@platform",
        "http://platform/a@b",
        "http://platform?x=1",
        "http://platform#x",
        "http://platform\\x",
        "http://platform/a b",
        "http://plätform",
        "http://platform/ä",
        "http://platform/./x",
        "http://platform/x/..",
        "http://plat$form",
        "http://platform:",
        "http://platform:0",
        "http://platform:65536",
        "http://platform:+80",
        "http://platform:1:2",
        "http://a:b",
        "http://[::1",
        "http://[::1]x",
        "http://[::1]8080",
        "http://[::1]:",
        "http://[]",
        "http://[g::1]",
        "http://[a_b]",
        too_long.as_str(),
    ] {
        assert_eq!(refused(|config| config.agent_url = Some(url.into())), "agent_url", "{url}");
        assert_eq!(refused(|config| config.platform_url = url.into()), "platform_url", "{url}");
    }
}

#[test]
fn slashes_at_the_end_of_the_platform_s_address_are_ignored() {
    let config = Config::new("ws", "http://platform/base//").validate().unwrap();
    assert_eq!(config.platform_url, "http://platform/base");
}

#[test]
fn a_card_is_an_object_of_64_kib_at_most() {
    let with = |card: Value| refused(|config| config.agent_card = Some(card.into()));
    let of_bytes = |bytes: usize| json!({"a": "x".repeat(bytes - r#"{"a":""}"#.len())});
    assert_eq!([with(json!({})), with(of_bytes(limits::AGENT_CARD_BYTES_MAX))], ["", ""]);
    assert_eq!(with(of_bytes(limits::AGENT_CARD_BYTES_MAX + 1)), "agent_card");
    for card in [json!([]), json!("card"), json!(null)] {
        assert_eq!(with(card), "agent_card");
    }
}

#[test]
fn registering_wants_address_and_card() {
    let with = |url: Option<&str>, card: Option<Value>| {
        let config =
            Config { agent_url: url.map(Into::into), agent_card: card.map(Into::into), ..valid() };
        config.validate().unwrap().can_register()
    };
    assert!(with(Some("http://agent"), Some(json!({}))));
    assert!(!with(Some("http://agent"), None));
    assert!(!with(None, Some(json!({}))));
}

#[test]
fn a_short_request_ends_before_the_next_is_due() {
    let with = |interval| Config { interval, ..valid() }.validate().unwrap().request_deadline();
    assert_eq!(with(ms(30_000)), limits::REQUEST_DEADLINE);
    assert_eq!(with(ms(6_000)), ms(4_000));
}

#[test]
fn a_refusal_names_field_value_and_range() {
    let config = Config { interval: ms(1), ..valid() };
    let error = config.validate().unwrap_err();
    assert_eq!(error.to_string(), "interval: 1ms is not allowed: 5s to 300s");
    let error = Config::new(&"\"\n".repeat(100), "http://p").validate().unwrap_err();
    assert_eq!(error.value, format!("\"{}\"", "\\\"\\n".repeat(50)), "quoted, and cut");
    let error = Config::new("ws", "http://me:hunter2@p").validate().unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn a_tuning_replaces_its_fields_and_is_checked() {
    let config = valid().validate().unwrap();
    let tuning = Tuning {
        cooldown: ms(2_000),
        announce: Announce::Ids,
        notify: Notify::All,
        self_messages_per_hour_max: 7,
        reannounce_after: ms(61_000),
    };
    assert_eq!(config.tuned(tuning).unwrap().tuning(), tuning);
    let refused = Tuning { self_messages_per_hour_max: 0, ..tuning };
    assert_eq!(config.tuned(refused).unwrap_err().field, "self_messages_per_hour_max");
}

proptest! {
    #[test]
    fn no_word_is_too_odd_to_be_checked(words in any::<String>()) {
        for fields in [
            Config { workspace_id: words.clone(), ..valid() },
            Config { platform_url: words.clone(), ..valid() },
            Config { org_id: Some(words.clone()), ..valid() },
        ] {
            if let Err(error) = fields.validate() {
                prop_assert!(error.value.chars().count() <= 1_002);
                prop_assert!(!error.to_string().contains(char::is_control));
            }
        }
    }
}
