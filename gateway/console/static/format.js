// Figures as people read them. A figure that is not known is a dash.

export const UNKNOWN = "–";

const known = (value, text) => (value === null || value === undefined || Number.isNaN(value) ? UNKNOWN : text(value));
const rounded = (value) => (value < 9.95 && value > 0 ? value.toFixed(1) : Math.round(value).toLocaleString("en"));

/** Calls a second: "3.1/s", "120/s". */
export const rate = (perS) => known(perS, (value) => (value > 0 && value < 0.05 ? "<0.1/s" : `${rounded(value)}/s`));

/** Milliseconds: "4.2 ms", "120 ms", "1.8 s". */
export const ms = (value) => known(value, (some) => (some < 1000 ? `${rounded(some)} ms` : `${(some / 1000).toFixed(1)} s`));

/** Bytes: "512 B", "1.5 kB", "38 MB". */
export const bytes = (value) =>
  known(value, (some) => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    const step = some < 1 ? 0 : Math.min(Math.floor(Math.log(some) / Math.log(1000)), units.length - 1);
    return `${step ? rounded(some / 1000 ** step) : Math.round(some)} ${units[step]}`;
  });

/** A share between 0 and 1: "0 %", "0.4 %", "12 %". */
export const share = (value) => known(value, (some) => `${rounded(some * 100)} %`);

/** Seconds as a length: "0.4 s", "12 s", "3 min", "5 h", "2 d". */
export const length = (seconds) =>
  known(seconds, (some) => {
    if (some < 60) return `${some > 0 && some < 1 ? some.toFixed(1) : Math.floor(some)} s`;
    if (some < 3600) return `${Math.floor(some / 60)} min`;
    return some < 86400 ? `${Math.floor(some / 3600)} h` : `${Math.floor(some / 86400)} d`;
  });

/** Seconds gone by: "3 s ago". */
export const ago = (seconds) => known(seconds, (some) => `${length(Math.max(some, 0))} ago`);

/** Epoch seconds as the time of day here: "14:21:50". */
export const clock = (epochS) =>
  known(epochS, (some) => new Date(some * 1000).toLocaleTimeString("en-GB", { hour12: false }));

/** "1 instance", "3 instances", "no instances". */
export const count = (number, noun, many = `${noun}s`) => `${number === 0 ? "no" : number} ${number === 1 ? noun : many}`;
