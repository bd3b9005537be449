// SPDX-License-Identifier: BSD-2-Clause
// The array of `tiny` as `erbium verilog tiny --name erbium` writes it, under a testbench in plain Verilog-2005: weights are written
// through access_i, samples go into sample_i, results are compared, and at the end the weights that were learned.
//
//   weights.hex   one weight a line, layer by layer, row by row
//   samples.hex   one token of sample_i a line: BEGIN PIXEL* END for each sample
//   results.hex   one token of result_o a line
//   learned.hex   the weights after all samples, like weights.hex
`default_nettype none

module testbench;
    // Sizes of the network, as in erbium.h. The last row of a layer is the bias.
    localparam LAYER1_ROWS = 17, LAYER1_NEURONS = 12;
    localparam LAYER2_ROWS = 13, LAYER2_NEURONS = 4;
    localparam SEEK = 2'd0, READ = 2'd1, WRITE = 2'd2;
    localparam PATIENCE = 1_000_000; // clocks

    reg clk = 0, rst = 1;
    always #5 clk = !clk;

    reg  [42:0] sample;
    reg         sample_valid = 0;
    wire        sample_ready;
    wire [39:0] result;
    wire        result_valid;
    reg  [20:0] access;
    reg         access_valid = 0;
    wire        access_ready;
    wire [15:0] weight;
    wire        weight_valid;
    reg   [7:0] counter;
    reg         counter_valid = 0;
    wire        counter_ready;
    wire [47:0] count;
    wire        count_valid;
    wire        idle, collision;

    erbium dut (
        .clk(clk), .rst(rst),
        .sample_i_payload(sample), .sample_i_valid(sample_valid), .sample_i_ready(sample_ready),
        .result_o_payload(result), .result_o_valid(result_valid), .result_o_ready(1'b1),
        .access_i_payload(access), .access_i_valid(access_valid), .access_i_ready(access_ready),
        .access_o_payload(weight), .access_o_valid(weight_valid), .access_o_ready(1'b1),
        .counter_i_payload(counter), .counter_i_valid(counter_valid), .counter_i_ready(counter_ready),
        .counter_o_payload(count), .counter_o_valid(count_valid), .counter_o_ready(1'b1),
        .n_ticks(16'd16), .decide_after(16'd0), .gain_1(8'd12), .gain_2(8'd8),
        .idle(idle), .collision(collision)
    );

    integer file, results, layer, i, rows, neurons, found, n_results = 0, n_weights = 0, n_wrong = 0;
    reg [63:0] line;
    reg [39:0] expected;

    task fail(input [8 * 80 - 1:0] why);
        begin
            $display("FAIL: %0s", why);
            $stop; // exit code 1 of `vvp -N`
        end
    endtask

    task must_be_open(input integer opened);
        if (opened == 0) fail("a file of hex numbers cannot be opened; run make in examples/verilog");
    endtask

    // A token goes over at the clock edge at which valid and ready are both 1; payload and valid stay until then.
    task request(input [1:0] kind, input [2:0] number, input [15:0] data);
        begin
            access <= {data, number, kind};
            access_valid <= 1;
            @(posedge clk);
            while (!access_ready) @(posedge clk);
            access_valid <= 0;
        end
    endtask

    task send(input [42:0] token);
        begin
            sample <= token;
            sample_valid <= 1;
            @(posedge clk);
            while (!sample_ready) @(posedge clk);
            sample_valid <= 0;
        end
    endtask

    task size_of(input integer number);
        begin
            rows = number == 0 ? LAYER1_ROWS : LAYER2_ROWS;
            neurons = number == 0 ? LAYER1_NEURONS : LAYER2_NEURONS;
        end
    endtask

    // Results come when they come: beside what the main thread does.
    always @(posedge clk) if (!rst && result_valid) begin
        found = $fscanf(results, "%h", expected);
        n_results = n_results + 1;
        if (found != 1 || result !== expected) begin
            n_wrong = n_wrong + 1;
            $display("result %0d is %h and not %h", n_results - 1, result, expected);
        end
    end

    integer clocks = 0;
    always @(posedge clk) begin
        clocks = clocks + 1;
        if (clocks == PATIENCE) fail("the array is not done in time");
        if (!rst && collision !== 0) fail("a memory of the array was misused");
    end

    initial begin
        results = $fopen("results.hex", "r");
        must_be_open(results);
        repeat (4) @(posedge clk);
        rst <= 0;
        @(posedge clk);

        file = $fopen("weights.hex", "r");
        must_be_open(file);
        for (layer = 0; layer < 2; layer = layer + 1) begin
            size_of(layer);
            request(SEEK, layer, 0);
            for (i = 0; i < rows * neurons; i = i + 1) begin
                if ($fscanf(file, "%h", line) != 1) fail("weights.hex ends too early");
                request(WRITE, layer, line[15:0]);
            end
            request(SEEK, layer, 0); // waits until the last weight is in its memory
        end
        $fclose(file);

        file = $fopen("samples.hex", "r");
        must_be_open(file);
        while ($fscanf(file, "%h", line) == 1) send(line[42:0]);
        $fclose(file);
        @(posedge clk);
        while (!idle) @(posedge clk);
        @(posedge clk);
        if ($fscanf(results, "%h", line) == 1) fail("a result is missing");

        file = $fopen("learned.hex", "r");
        must_be_open(file);
        for (layer = 0; layer < 2; layer = layer + 1) begin
            size_of(layer);
            request(SEEK, layer, 0);
            for (i = 0; i < rows * neurons; i = i + 1) begin
                request(READ, layer, 0);
                while (!weight_valid) @(posedge clk);
                if ($fscanf(file, "%h", line) != 1) fail("learned.hex ends too early");
                n_weights = n_weights + 1;
                if (weight !== line[15:0]) begin
                    n_wrong = n_wrong + 1;
                    $display("layer %0d, weight %0d is %h and not %h", layer + 1, i, weight, line[15:0]);
                end
                @(posedge clk);
            end
        end
        if (n_wrong != 0) fail("there are differences");
        $display("PASS: %0d results, %0d weights, %0d clocks", n_results, n_weights, clocks);
        $finish;
    end
endmodule
