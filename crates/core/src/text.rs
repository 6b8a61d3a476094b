//! Words of others made safe to show: bounded, on one line, without controls.

use alloc::string::String;

/// `words` on one line: controls, line separators and characters that change
/// the direction of a text become single spaces; none at either end.
pub(crate) fn one_line(words: &str) -> String {
    let mut line = String::with_capacity(words.len().min(1_024));
    let mut gap = false;
    for shown in words.chars() {
        if shown.is_whitespace() || is_unseen(shown) {
            gap = !line.is_empty();
            continue;
        }
        if core::mem::take(&mut gap) {
            line.push(' ');
        }
        line.push(shown);
    }
    line
}

fn is_unseen(shown: char) -> bool {
    shown.is_control()
        || matches!(shown, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(shown, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The first `chars` characters of `words`.
pub(crate) fn cut_chars(words: &str, chars: usize) -> String {
    words.chars().take(chars).collect()
}

/// The longest beginning of `words` of at most `bytes` bytes that ends on a
/// character boundary.
pub(crate) fn cut_bytes(words: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(words.len())).rev().find(|end| words.is_char_boundary(*end));
    &words[..end.unwrap_or_default()]
}

/// `words` without U+0000, which the platform's database refuses.
pub(crate) fn without_nul(words: &str) -> String {
    words.chars().filter(|shown| *shown != '\0').collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_does_not_show_or_turns_a_text_around_is_a_space() {
        for unseen in
            "\0\t\n\r\u{1b}\u{7f}\u{85}\u{a0}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\
                       \u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{e0001}\u{e007f}"
                .chars()
        {
            assert_eq!(one_line(&alloc::format!("{unseen}a{unseen}{unseen}b{unseen}")), "a b");
        }
        for shown in ["aéß", "日本", "a-b", "👍", "\u{2010}\u{202f}x"] {
            assert_eq!(one_line(shown).replace(' ', ""), shown.replace('\u{202f}', ""));
        }
    }

    proptest! {
        #[test]
        fn one_line_is_one_line(words in any::<String>()) {
            let line = one_line(&words);
            prop_assert!(!line.chars().any(is_unseen), "{line:?}");
            prop_assert_eq!(line.lines().count(), usize::from(!line.is_empty()));
            prop_assert_eq!(line.trim(), &line);
            prop_assert_eq!(one_line(&line), line);
        }

        #[test]
        fn cuts_end_on_a_character(words in any::<String>(), most in 0_usize..40) {
            prop_assert!(cut_bytes(&words, most).len() <= most);
            prop_assert!(words.starts_with(cut_bytes(&words, most)));
            prop_assert!(cut_chars(&words, most).chars().count() <= most);
        }
    }
}
