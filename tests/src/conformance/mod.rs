//! What every shell of the core must do, as scenarios against the served
//! platform, with real files and signals.
//!
//! [`conformance!`](macro@crate::conformance) makes a test of each for one shell:
//! that is all a file like `tests/tests/conformance_blocking.rs` holds. The
//! duties themselves are listed in the documentation of `everbeat-core`.

mod files;
mod process;
mod requests;
mod secrets;

pub use files::*;
pub use process::*;
pub use requests::*;
pub use secrets::*;

/// One test for each scenario, for the [`Shell`](crate::Shell) that the
/// expression gives.
#[macro_export]
macro_rules! conformance {
    ($shell:expr) => {
        $crate::conformance! {
            $shell =>
            l1_beats_go_out_on_time
            l1_a_poll_that_hangs_holds_up_no_beat
            l1_a_slow_self_message_holds_up_no_beat
            l1_an_answer_that_trickles_holds_up_no_beat
            l1_a_log_that_nobody_reads_holds_up_no_beat
            l2_a_result_is_stored_and_announced_once
            l2_a_message_whose_answer_is_lost_is_not_repeated
            l3_a_refused_token_is_read_again_and_the_beat_repeated
            l5_a_refused_connection_is_tried_again_until_the_platform_is_back
            l6_a_signal_ends_it_in_time_and_the_journal_is_consistent
            l7_a_pause_is_made_up_for_by_one_beat
            s4_the_reader_may_take_the_file_at_any_time
            s4_kill_nine_loses_and_doubles_nothing
            s4_a_second_process_is_refused
            s5_retry_after_is_understood_in_seconds_and_as_a_date
            s6_a_body_that_is_too_long_is_cut
            s6_requests_that_hang_leave_no_thread_behind
            s7_a_redirect_is_not_followed
            s7_a_minted_token_is_saved_privately_and_used
            s7_a_minted_token_replaces_none_put_there_meanwhile
            s7_the_inbound_secret_is_saved_privately
            s7_no_secret_is_in_its_output_or_files
            a_wrong_environment_is_refused
        }
    };
    ($shell:expr => $($scenario:ident)*) => {
        $(
            #[test]
            fn $scenario() {
                $crate::conformance::$scenario(&$shell);
            }
        )*
    };
}
