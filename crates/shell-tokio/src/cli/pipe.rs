//! Whether anybody still reads standard output.

use rustix::event::{PollFd, PollFlags, Timespec, poll};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    There,
    /// The other end of a pipe was closed: nothing more need be written.
    Gone,
}

/// Asks without waiting and without writing: a command that has nothing to
/// write for an hour would not notice otherwise.
pub(crate) fn reader() -> Reader {
    let out = std::io::stdout();
    // No events: errors are reported in any case.
    let mut fds = [PollFd::new(&out, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut fds, Some(&now)) {
        Ok(_) if fds.iter().any(|fd| fd.revents().intersects(PollFlags::ERR)) => Reader::Gone,
        Ok(_) | Err(_) => Reader::There,
    }
}
