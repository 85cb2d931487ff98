//! stand-in
use crate::{history::History, object::Object, world::Judged};
/// stand-in
pub fn judge_record<O: Object>(_: &O, _: &History<O::Op, O::Ret>) -> Judged {
    Judged::Unknown
}
