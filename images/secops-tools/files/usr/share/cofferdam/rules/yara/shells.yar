// Ways to hand a shell to somebody else.
rule reverse_shell {
  strings:
    $dev_tcp = /\/dev\/(tcp|udp)\/[A-Za-z0-9.-]+\/[0-9]+/
    $netcat = /\bnc(at)?\s+(-[a-z]+\s+)*-[a-z]*e[a-z]*\s+\/bin\/(ba)?sh/
    $python = "socket.socket"
    $python_dup = "os.dup2("
    $python_shell = "/bin/sh"
  condition:
    $dev_tcp or $netcat or all of ($python*)
}

rule piped_download {
  strings:
    $pipe = /(curl|wget)[^\n|]{1,200}\|\s*(sudo\s+)?(ba)?sh\b/
  condition:
    $pipe
}
