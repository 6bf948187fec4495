// An error: why something was not done. The members of the gateway's answer (code, reason, message, pointer, at, retry_ms) are
// there as it sent them. Where this library itself is the reason, `code` is 0, or that of the gateway's table for the same thing.

export class HeadgateError extends Error {
  constructor({ code = 0, reason = 'failed', message = '', op, ref, ...rest }) {
    super(message);
    // The gateway may or may not have done what was asked, for no word of it came.
    const unknown = reason === 'connection_lost' || reason === 'no_answer';
    Object.assign(this, rest, { name: 'HeadgateError', code, reason, unknown });
  }
}

/** The members of an error, to be stored. */
export function errorMembers(error) {
  return { ...error, message: error.message };
}
