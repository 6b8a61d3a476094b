//! The blocks of a case, read and written.

/// What stands between what is done and what came of it.
const RULE: &str = "----";

/// A case as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// In order.
    pub blocks: Vec<Block>,
    /// Comments behind the last block.
    pub tail: Vec<String>,
}

/// Something that is done, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Comments and empty lines before it, as they are.
    pub head: Vec<String>,
    /// Where the line stands, counted from 1.
    pub line_number: usize,
    /// What is done.
    pub line: String,
    /// The lines that belong to it.
    pub input: Vec<String>,
    /// What came of it.
    pub output: Vec<String>,
}

/// What is wrong with a case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ScriptError {
    /// Counted from 1.
    pub line: usize,
    /// What would be right.
    pub reason: String,
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    /// If a block has no `----`.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut lines = text.lines().enumerate().peekable();
        let mut blocks = Vec::new();
        loop {
            let mut head = Vec::new();
            while let Some((_, line)) =
                lines.next_if(|(_, line)| line.is_empty() || line.starts_with('#'))
            {
                head.push(line.to_owned());
            }
            let Some((index, line)) = lines.next() else {
                return Ok(Self { blocks, tail: head });
            };
            let mut input = Vec::new();
            loop {
                match lines.next() {
                    Some((_, RULE)) => break,
                    Some((_, more)) if !more.is_empty() => input.push(more.to_owned()),
                    Some(_) | None => {
                        let reason = format!("{line:?} is not followed by {RULE}");
                        return Err(ScriptError { line: index + 1, reason });
                    }
                }
            }
            let mut output = Vec::new();
            while let Some((_, line)) = lines.next_if(|(_, line)| !line.is_empty()) {
                output.push(line.to_owned());
            }
            blocks.push(Block {
                head,
                line_number: index + 1,
                line: line.to_owned(),
                input,
                output,
            });
        }
    }

    /// The case as a file holds it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut put = |line: &str| {
            text += line;
            text.push('\n');
        };
        for block in &self.blocks {
            block.head.iter().for_each(|line| put(line));
            put(&block.line);
            block.input.iter().for_each(|line| put(line));
            put(RULE);
            block.output.iter().for_each(|line| put(line));
        }
        self.tail.iter().for_each(|line| put(line));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_written_as_it_was_read() {
        let text = "# why\n\nstart\n----\none\ntwo\n\nanswer poll\n{}\n----\nthree\n\n# end\n";
        let case = Case::parse(text).unwrap();
        assert_eq!(case.blocks.len(), 2);
        assert_eq!((case.blocks[1].line_number, case.blocks[1].input.len()), (8, 1));
        assert_eq!(case.to_text(), text);
        assert_eq!(Case::parse("start\n").unwrap_err().line, 1);
    }
}
