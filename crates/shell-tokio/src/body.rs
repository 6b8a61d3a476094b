//! Reading a body that may be as long, as slow or as broken as it likes.

/// A body as far as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) body: Vec<u8>,
    /// False if it was longer than allowed, or broke off.
    pub(crate) complete: bool,
}

/// Reads until the end, or until there is more than `bytes_max`: what is
/// beyond is neither kept nor waited for. No encoding is asked for, so that
/// what comes is what counts.
pub(crate) async fn read(mut answer: reqwest::Response, bytes_max: usize) -> Read {
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => {
                let room = bytes_max - body.len();
                if let Some(beginning) = chunk.get(..room).filter(|_| chunk.len() > room) {
                    body.extend_from_slice(beginning);
                    return Read { body, complete: false };
                }
                body.extend_from_slice(&chunk);
            }
            Ok(None) => return Read { body, complete: true },
            Err(_) => return Read { body, complete: false },
        }
    }
}

#[cfg(test)]
mod tests;
