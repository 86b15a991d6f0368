"""Commands for data sets, in the words of IDCAMS: `plexmesh vsam …` runs `python -P -m caching.idcams …`.

    define NAME      a new one, with its attributes; an instance defines the one it is configured for by itself
    listcat [NAME]   attributes, what is in it, who has it open, who holds its lock
    repro NAME       --to FILE: a copy in lines of JSON (`lines`); --from FILE: all of such a file, or nothing (`load`)
    delete NAME      for good; refused while anybody has it open

They work beside running instances and without any: a command is one more opener, with a slot and the lock for as long
as it needs it (`opened`). Limits (`size`, quotas) belong to the instances' configuration; a command knows none.

Exit codes: 0 done; 1 not done, or not wholly; 2 usage or configuration. An error is one line on standard error.

Source: IDCAMS, "DFSMS Access Method Services Commands". Not simulated: ALTER, PRINT, VERIFY, alternate indexes.
"""
