//! Trying every way, one run after the other: a run follows the trail as far
//! as it goes and takes the first way from there on.

/// The choices of one run, each with how many ways there were.
#[derive(Debug, Default)]
pub(super) struct Trail {
    choices: Vec<(usize, usize)>,
    position: usize,
}

impl Trail {
    /// Picks one of `options` ways.
    pub(super) fn choose(&mut self, options: usize) -> usize {
        if self.position == self.choices.len() {
            self.choices.push((0, options));
        }
        let (chosen, known) = self.choices.get(self.position).copied().unwrap_or((0, options));
        assert_eq!(known, options, "the same choices must lead to the same place");
        self.position += 1;
        chosen
    }

    /// Whether the next choice was never made before.
    pub(super) fn is_new_ground(&self) -> bool {
        self.position >= self.choices.len()
    }

    /// Goes back to the start for the next run; false if all were made.
    pub(super) fn rewind(&mut self) -> bool {
        self.position = 0;
        while let Some((chosen, options)) = self.choices.last_mut() {
            *chosen += 1;
            if *chosen < *options {
                return true;
            }
            self.choices.pop();
        }
        false
    }
}
