//! The kinds of events.

/// What an event is about; the words stand in `CONTROL.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something worth saying.
    Notice,
    /// A beat came to its end.
    Beat,
    /// A look at the delegations came to its end.
    Poll,
    /// A batch of results is stored.
    Results,
    /// What became of a message to the agent.
    Wake,
    /// What the agent reported.
    Task,
    /// A supervised command.
    Child,
    /// A line of the log; never kept.
    Log,
    /// Events that the client did not get.
    Lost,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Notice,
        Self::Beat,
        Self::Poll,
        Self::Results,
        Self::Wake,
        Self::Task,
        Self::Child,
        Self::Log,
        Self::Lost,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Beat => "beat",
            Self::Poll => "poll",
            Self::Results => "results",
            Self::Wake => "wake",
            Self::Task => "task",
            Self::Child => "child",
            Self::Log => "log",
            Self::Lost => "lost",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Some of the kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds(u16);

impl Kinds {
    pub(crate) const ALL: Self = Self(u16::MAX);

    /// Names with commas between them.
    ///
    /// # Errors
    /// The first name that is none.
    pub(crate) fn parse(names: &str) -> Result<Self, String> {
        let mut kinds = Self(0);
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let kind = Kind::parse(name).ok_or_else(|| name.to_owned())?;
            kinds.0 |= 1 << kind as u16;
        }
        Ok(if kinds.0 == 0 { Self::ALL } else { kinds })
    }

    /// What a client lost is told whatever it asked for.
    pub(crate) const fn contain(self, kind: Kind) -> bool {
        matches!(kind, Kind::Lost) || self.0 & (1 << kind as u16) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_and_chosen() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(kind));
            assert!(Kinds::ALL.contain(kind));
        }
        let kinds = Kinds::parse("notice, beat").unwrap();
        assert!(kinds.contain(Kind::Beat) && kinds.contain(Kind::Lost));
        assert!(!kinds.contain(Kind::Poll));
        assert_eq!(Kinds::parse(""), Ok(Kinds::ALL));
        assert_eq!(Kinds::parse("beat,bees"), Err("bees".into()));
    }
}
