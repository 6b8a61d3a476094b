//! Text cases: a machine that is driven by hand, and what it says to that.
//!
//! A case is a file of blocks. Each begins with a line that does something,
//! perhaps with lines that belong to it, then `----`, then what came of it,
//! up to an empty line. What came of it can be written anew by the machine
//! and is read in review (etcd's datadriven style). Lines that begin with `#`
//! are for the reader.
//!
//! | Line | Does |
//! |---|---|
//! | `start [interval=30s] [cooldown=60s] …` | a new machine, a new journal |
//! | `restart` | the process is killed and started again with its journal |
//! | `advance 30s` | time passes; the machine is woken whenever it asks |
//! | `suspend 8h` | time passes and nobody is woken |
//! | `answer beat 401 [retry-after=7] [cut]` | an answer; its body in the lines below, perhaps broken off |
//! | `answer poll` | 200 and a list: a row in each line below, of this workspace unless it says so; `body …` stands as it is |
//! | `platform auto`, `platform manual` | from now on all but messages is answered by itself, or not |
//! | `lists` | what it lists then, in the lines below |
//! | `fail beat not-sent` | no answer: `not-sent`, `no-answer` or `bad-answer` |
//! | `late beat 200` | an answer to the last beat that was cancelled |
//! | `store ok` | the store carries out what it was asked for |
//! | `store auto`, `store manual` | from now on by itself, or not |
//! | `store fails full` | a failure: `full`, `read-only`, `denied` or `other` |
//! | `store held`, `store free` | something odd lies at the results path, or goes |
//! | `reader takes` | the agent takes its results |
//! | `token changed` | the file was read: `changed`, `same`, `missing` or `fails` |
//! | `saved ok` | the secret is saved: `ok` or `fails` |
//! | `report {"report": …}` | the agent says something, as JSON |
//! | `retune cooldown=5s notify=none` | another tuning; what is not named is as by default |
//! | `stop` | the agent is asked to stop |
//! | `overview` | what the machine says of itself |
//! | `status` | the same at length, as a person reads it |

mod given;
mod parse;
mod stage;
mod words;

pub use parse::{Block, Case, ScriptError};
pub use stage::Stage;

impl Case {
    /// Runs the case from its start: the same case with what came of it. From
    /// a line on that is not understood it stays as it was, and the error
    /// names the line.
    pub fn run(&self) -> (Self, Result<(), ScriptError>) {
        let mut stage = Stage::default();
        let mut case = self.clone();
        for block in &mut case.blocks {
            match stage.act(&block.line, &block.input) {
                Ok(output) => block.output = output,
                Err(reason) => {
                    let line = block.line_number;
                    return (case, Err(ScriptError { line, reason }));
                }
            }
        }
        (case, Ok(()))
    }
}
