// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

interface Token {
    function transferFrom(address from, address to, uint256 value) external returns (bool);
}

/// A wallet that is a contract, and that does what anyone tells it: what matters here is who sees it.
contract ContractWallet {
    error NotPaid();

    receive() external payable {}

    function forward(address to, uint256 value) public {
        (bool paid,) = to.call{value: value}("");
        require(paid, NotPaid());
    }

    function pay(address[] calldata to, uint256[] calldata values) external {
        for (uint256 n = 0; n < to.length; n++) forward(to[n], values[n]);
    }

    function end(address payable to) external {
        selfdestruct(to);
    }

    function refuse() external payable {
        revert NotPaid();
    }
}

/// Pays out what its caller allowed it to take.
contract Disperser {
    function disperse(Token token, address[] calldata to, uint256[] calldata values) external {
        for (uint256 n = 0; n < to.length; n++) token.transferFrom(msg.sender, to[n], values[n]);
    }

    function disperseEther(address[] calldata to, uint256[] calldata values) external payable {
        for (uint256 n = 0; n < to.length; n++) payable(to[n]).transfer(values[n]);
    }
}

/// Receives tokens, and while the sender's call still runs takes a second amount by an old allowance.
contract Reentrant {
    uint256 private immutable more;
    bool private done;

    constructor(uint256 more_) {
        more = more_;
    }

    function tokensReceived(address from, uint256) external {
        if (done) return;
        done = true;
        Token(msg.sender).transferFrom(from, address(this), more);
    }
}
